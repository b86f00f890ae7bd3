"""Waits for what comes about, and for no fixed time."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

T = TypeVar("T")


def until(what: str, look: Callable[[], T], within_seconds: float = 10) -> T:
    """:raises AssertionError: when it did not come about; what `look` raises."""
    ends = time.monotonic() + within_seconds
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < ends, f"waited {within_seconds} s in vain for {what}"
        time.sleep(0.02)
