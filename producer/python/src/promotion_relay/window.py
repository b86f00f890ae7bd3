"""
The time that one call has, by the wall. No socket option keeps it: a name server that hangs is asked without a
limit, and a server that drips bytes is never late with the next one. So all I/O is done by a daemon thread, which is
left behind when the time is over. From then on it sends nothing more: the caller was told that it did not get there.
"""

from __future__ import annotations

import threading
import time
from typing import Callable, Optional, TypeVar

T = TypeVar("T")

LONGEST_SECONDS = 7 * 86_400.0


class Window:
    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + min(seconds, LONGEST_SECONDS)
        self._closed = threading.Event()
        self._hang_up: Optional[Callable[[], None]] = None

    @property
    def left(self) -> float:
        """Seconds, 0 when it is over."""
        return 0.0 if self._closed.is_set() else max(0.0, self._ends - time.monotonic())

    @property
    def over(self) -> bool:
        return self.left <= 0

    def pause(self, seconds: float) -> None:
        """Shorter when the window ends before."""
        self._closed.wait(min(seconds, self.left))

    def hang_up_with(self, hang_up: Callable[[], None]) -> None:
        """What ends the I/O under way, so that no thread lives on with it."""
        self._hang_up = hang_up

    def close(self) -> None:
        self._closed.set()
        if self._hang_up is not None:
            self._hang_up()

    def run(self, work: Callable[[], T], grace: float = 0.0) -> Optional[T]:
        """
        What `work` returns, or None when the window was over before that.

        :param grace: seconds in which work that was hung up on may still come to its end.
        :raises Exception: what `work` raises; RuntimeError where no thread can be started.
        """
        done = threading.Event()
        returned: list[T] = []
        raised: list[BaseException] = []

        def in_thread() -> None:
            try:
                returned.append(work())
            except BaseException as error:
                raised.append(error)
            done.set()

        thread = threading.Thread(target=in_thread, name="promotion-relay", daemon=True)
        thread.start()
        try:
            done.wait(self.left)
        finally:
            # Also when Ctrl-C ends the waiting.
            if not done.is_set():
                self.close()
        done.wait(grace)
        if raised:
            raise raised[0]
        return returned[0] if returned else None
