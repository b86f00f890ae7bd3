"""
Promotes a model version through promotion-relay, which starts the CD workflow for it exactly once.

    from promotion_relay import promote
    result = promote("fraud-detector", "5", accuracy=0.9234)

It never raises and answers within two seconds, whatever is down: a training run goes on. Settings: `RELAY_URL`,
`RELAY_API_TOKEN` or `RELAY_API_TOKEN_FILE`, `SPOOL_DIR`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Optional, SupportsFloat, Union

from .relay import DEADLINE_SECONDS, FLUSH_SECONDS, WAIT_SECONDS, Relay
from .result import FlushResult, Problem, Progress, PromoteResult, PromotionError, Status

__all__ = [
    "FlushResult",
    "Problem",
    "Progress",
    "PromoteResult",
    "PromotionError",
    "Relay",
    "Status",
    "flush",
    "get",
    "promote",
    "wait_until_live",
]


def promote(
    model: str,
    version: Union[str, int],
    accuracy: Optional[SupportsFloat] = None,
    environment: str = "production",
    metrics: Optional[Mapping[str, SupportsFloat]] = None,
    source: Optional[str] = None,
    rollback: bool = False,
    idempotency_key: Optional[str] = None,
    url: Optional[str] = None,
    token: Optional[str] = None,
    timeout: float = DEADLINE_SECONDS,
    spool_dir: Optional[Union[str, os.PathLike[str]]] = None,
    raise_on_error: bool = False,
) -> PromoteResult:
    """
    Tells the relay that this version is promoted: `Relay.promote` of the relay that is named or set.

    :param timeout: seconds within which it answers, whatever is down.
    :raises PromotionError: only with `raise_on_error`, where the result is not `ok`.
    """
    relay = Relay(url, token, timeout=timeout, spool_dir=spool_dir)
    return relay.promote(
        model,
        version,
        accuracy,
        environment,
        metrics,
        source,
        rollback,
        idempotency_key,
        raise_on_error,
    )


def flush(
    spool_dir: Optional[Union[str, os.PathLike[str]]] = None,
    url: Optional[str] = None,
    token: Optional[str] = None,
    timeout: float = FLUSH_SECONDS,
) -> FlushResult:
    """Delivers what the spool holds, within `timeout` seconds: `Relay.flush`."""
    return Relay(url, token, spool_dir=spool_dir).flush(timeout)


def get(promotion_id: str, url: Optional[str] = None, token: Optional[str] = None) -> Progress:
    """How a promotion stands: `Relay.get`."""
    return Relay(url, token).get(promotion_id)


def wait_until_live(
    promotion_id: str,
    timeout: float = WAIT_SECONDS,
    url: Optional[str] = None,
    token: Optional[str] = None,
) -> Progress:
    """Waits, at most `timeout` seconds, until the version is live or will not be by itself: `Relay.wait_until_live`."""
    return Relay(url, token).wait_until_live(promotion_id, timeout)
