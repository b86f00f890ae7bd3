"""A Prefect 3 task that promotes. It succeeds whatever the relay says, unless asked to raise: no flow fails for it."""

from __future__ import annotations

import logging
from typing import Optional, Union

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from .relay import DEADLINE_SECONDS, Relay
from .result import PromoteResult


# Never from a cache: a promotion that is asked for again is the relay's to know again.
@task(name="promote-model", cache_policy=NO_CACHE)
def promote_model(
    model: str,
    version: Union[str, int],
    accuracy: Optional[float] = None,
    environment: str = "production",
    metrics: Optional[dict[str, float]] = None,
    source: Optional[str] = None,
    rollback: bool = False,
    idempotency_key: Optional[str] = None,
    timeout: float = DEADLINE_SECONDS,
    raise_on_error: bool = False,
) -> PromoteResult:
    """
    `promotion_relay.promote` as a task; the relay's address and token come from the environment alone, since Prefect
    shows parameters. Within a flow run the idempotency key is the run's.

    :param timeout: seconds within which it answers, whatever is down.
    :raises PromotionError: only with `raise_on_error`, where the result is not `ok`.
    """
    result = Relay(timeout=timeout).promote(
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
    level = logging.INFO if result.ok else logging.WARNING
    get_run_logger().log(level, "%s %s: %s %s", model, version, result.status, result.reason)
    return result
