"""How much a test does: little in the suite, much under DISPATCHER_TESTS_LONG=1."""

import os

from hypothesis import HealthCheck, settings

IS_LONG = os.environ.get("DISPATCHER_TESTS_LONG") == "1"


def many(short: int, *, long: int) -> int:
    return long if IS_LONG else short


def sequences(most: int, *, steps: int) -> settings:
    """For a state machine on a real database, which makes its own hygiene."""
    return settings(
        max_examples=most,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
