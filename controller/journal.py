"""What happened, once: structured log lines on stderr, and the same events for whoever listens over HTTP."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = "str | int | float | bool | list[str] | list[int] | None"

KEPT_EVENTS = 1000
_LOG = logging.getLogger("controller")


@dataclass(frozen=True, slots=True)
class Event:
    """Something the controller saw or decided. `id` counts from 1 in this process; `time_s` is since the epoch."""

    id: int
    time_s: float
    kind: str
    fields: dict[str, Value]


class Journal:
    """Records events: each goes to the log and to every listener. Safe for use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._listeners: dict[int, Callable[[Event], None]] = {}
        self._last_id = 0

    def record(self, kind: str, level: int = logging.INFO, **fields: Value) -> None:
        """Record an event: `kind` in snake_case, and what was seen or decided and why as fields."""
        with self._lock:
            self._last_id += 1
            event = Event(self._last_id, self._clock(), kind, fields)
            self._events.append(event)
            listeners = list(self._listeners.values())
        _LOG.log(level, kind, extra={"fields": fields})
        for listener in listeners:
            listener(event)

    def listen(self, listener: Callable[[Event], None], after_id: int) -> tuple[list[Event], Callable[[], None]]:
        """Register a listener for new events.

        Returns:
            The kept events with an id above `after_id`, or all of them when there was none of that id yet, because it
            is of a process before this one; and a function that ends the listening.
        """
        with self._lock:
            key = id(listener)
            self._listeners[key] = listener
            after_id = after_id if after_id <= self._last_id else 0
            past = [event for event in self._events if event.id > after_id]
        return past, lambda: self._stop(key)

    def _stop(self, key: int) -> None:
        with self._lock:
            self._listeners.pop(key, None)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, event, then its fields; a traceback is a field."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, default=str)


def log_to_stderr(level: str) -> None:
    """Send every log record of this process to stderr, one JSON line each; `level` is a name such as `info`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _LOG.setLevel(level.upper())
