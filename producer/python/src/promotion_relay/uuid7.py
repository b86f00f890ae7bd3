"""UUIDv7 (RFC 9562): ids that sort by time, also those that one process makes within a millisecond."""

from __future__ import annotations

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0
_COUNTER_BITS = 12


def uuid7() -> str:
    """Takes nothing from `random`: a training run's seed stays as it is."""
    global _last  # noqa: PLW0603
    with _lock:
        # Milliseconds and counter in one number: it only grows, also when the clock is set back.
        _last = max(_last + 1, (time.time_ns() // 1_000_000) << _COUNTER_BITS)
        stamp = _last
    milliseconds, counter = stamp >> _COUNTER_BITS, stamp & ((1 << _COUNTER_BITS) - 1)
    tail = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | counter << 64 | 2 << 62 | tail))
