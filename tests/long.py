"""How much a test does: little in the suite, much under DISPATCHER_TESTS_LONG=1."""

import os

IS_LONG = os.environ.get("DISPATCHER_TESTS_LONG") == "1"


def many(short: int, *, long: int) -> int:
    return long if IS_LONG else short
