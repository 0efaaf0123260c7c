"""An asyncio event loop on a virtual clock: what is written for the wall's time runs in the twin's unchanged."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

from twin.clock import Clock

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Instead of waiting, lets the clock go on until somebody has something to do."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.called = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and (timeout is None or timeout > 0):
            self.called = False
            self.clock.run(lambda: self.called, None if timeout is None else self.clock.now + timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; `asyncio.sleep` and time-outs go by the clock."""

    def __init__(self, clock: Clock) -> None:
        self._virtual = _Selector(clock)
        super().__init__(self._virtual)

    def time(self) -> float:
        """Seconds on the clock."""
        return self._virtual.clock.now

    def call_soon(  # type: ignore[override]  # Python 3.10 has no star in the annotation of arguments
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """As the base's; time stands still until it has been called."""
        self._virtual.called = True
        return super().call_soon(callback, *args, context=context)

    def call_at(  # type: ignore[override]  # as above
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As the base's; time goes on no further than that, also when it is called while time goes on."""
        self._virtual.called = True
        return super().call_at(when, callback, *args, context=context)


def run(clock: Clock, coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns, which alone with what it starts decides how long time goes on."""
    loop = VirtualLoop(clock)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()
