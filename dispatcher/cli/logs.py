"""Keeps the log as lines of JSON where DISPATCHER_LOG asks for it: ids and domains, never an address or a secret."""

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType

from dispatcher.errors import SettingsWrong

_VARIABLE = "DISPATCHER_LOG"

# Whatever precedes an @ may be a person, a token of a return path, or the user and password of a URL.
_BEFORE_AN_AT = re.compile(r'(?:"[^"\n]*"|[^\s<>"]+)(?:@|%40)(?=[^\s@])')
_TOKEN = re.compile(r"/(u|undo|me|v|confirm)/[^\s\"'<>]+")
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY|_HOOK_")  # in the name of an environment variable


def keep_log(environment: Mapping[str, str]) -> None:
    """Everything that is logged, and every remark beside the report, becomes a line of JSON on standard error.

    Without DISPATCHER_LOG, or with `text`, remarks are sentences. Raises SettingsWrong.
    """
    wanted = environment.get(_VARIABLE, "") or "text"
    if wanted == "text":
        return
    if wanted != "json":
        raise SettingsWrong(f"{_VARIABLE} is {wanted!r}; it is json or text")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(environment))
    ours, all_others = logging.getLogger("dispatcher"), logging.getLogger()
    for logger in (ours, all_others):
        logger.handlers[:] = [handler]
    ours.propagate = False
    ours.setLevel(logging.INFO)
    logging.raiseExceptions = False  # nobody reads the log any more: what is done goes on
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_bug


class JsonLines(logging.Formatter):
    """A record as one line: time, level, what happened, and the facts that were given with it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__()
        self._secrets = [
            part
            for name, value in environment.items()
            if _SECRET.search(name)
            for part in value.split()
            if len(part) >= 6
        ]

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
            "pid": record.process,
            "logger": record.name,
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(self._without_secrets(line), ensure_ascii=False, default=str)

    def _without_secrets(self, value: object) -> object:
        if isinstance(value, Mapping):
            return {key: self._without_secrets(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._without_secrets(each) for each in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        text = str(value)
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return _TOKEN.sub(r"/\1/…", _BEFORE_AN_AT.sub("…@", text))


def _log_bug(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    logging.getLogger("dispatcher").critical("a bug in Dispatcher", exc_info=(kind, error, traceback))
