"""
A model version made its registry's choice and promoted, in the order that is safe: first the alias, then the
promotion. Killed in between, the alias stands, and the relay, where it looks into the registry, finds it there; the
other way round a version would be deployed that the registry does not name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Optional, SupportsFloat, Union

from .relay import Relay
from .result import PromoteResult, PromotionError

log = logging.getLogger("promotion_relay")


def promote_version(
    model: str,
    version: Union[str, int],
    alias: str = "champion",
    accuracy: Optional[SupportsFloat] = None,
    accuracy_metric: Optional[str] = None,
    environment: str = "production",
    metrics: Optional[Mapping[str, SupportsFloat]] = None,
    source: Optional[str] = None,
    rollback: bool = False,
    idempotency_key: str = "",
    relay: Optional[Relay] = None,
    client: Optional[Any] = None,
    raise_on_error: bool = False,
) -> PromoteResult:
    """
    Sets the alias on the version and promotes it. Without the alias nothing is promoted: the result is `unavailable`.
    The relay's part keeps the relay's deadline; MLflow's calls take as long as MLflow lets them
    (`MLFLOW_HTTP_REQUEST_TIMEOUT`, `MLFLOW_HTTP_REQUEST_MAX_RETRIES`).

    :param accuracy_metric: read from the version's run, where `accuracy` is not given, such as "accuracy". A run that
        can't be read or has none is promoted without, with a warning.
    :param idempotency_key: none by default, so that the relay knows the same news again, by its version, when a webhook
        of MLflow or a look into the registry tells it too.
    :param client: an `MlflowClient`; by default one of the tracking and registry addresses that are set.
    :raises PromotionError: only with `raise_on_error`, where the result is not `ok`.
    """
    try:
        registry = client if client is not None else _client()
        if accuracy is None and accuracy_metric is not None:
            accuracy = _metric_of(registry, model, version, accuracy_metric)
        registry.set_registered_model_alias(model, alias, str(version))
    except Exception as error:
        reason = f"MLflow did not set the alias {alias!r}: {type(error).__name__}"
        result = PromoteResult("unavailable", reason=reason)
        log.warning("Promotion of %r %r: nothing promoted, %s", model, version, reason)
        if raise_on_error:
            raise PromotionError(result) from error
        return result
    return (relay or Relay()).promote(
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


def _client() -> Any:
    from mlflow import MlflowClient  # noqa: PLC0415 - it takes seconds, and a caller may bring their own

    return MlflowClient()


def _metric_of(registry: Any, model: str, version: Union[str, int], metric: str) -> Optional[float]:
    try:
        run_id = registry.get_model_version(model, str(version)).run_id
        figure = registry.get_run(run_id).data.metrics.get(metric) if run_id else None
    except Exception as error:
        log.warning(
            "The accuracy of %r %r can't be read from MLflow: %s", model, version, type(error).__name__
        )
        return None
    if figure is None:
        log.warning("The run of %r %r has no metric %r: promoted without accuracy", model, version, metric)
        return None
    return float(figure)
