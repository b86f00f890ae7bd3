"""The order of alias and promotion; with MLflow itself: tests_real."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Optional

import pytest

from promotion_relay import PromotionError, Relay
from promotion_relay.mlflow import promote_version

from .servers import Server, accepted, serving

TOKEN = "a-token.of-the-tests_0001"


class Registry:
    """As much of `MlflowClient` as is used, with a log of what was done."""

    def __init__(self, server: Server, metrics: Optional[dict[str, float]] = None, fault: str = "") -> None:
        self.done: list[str] = []
        self._server = server
        self._metrics = metrics or {}
        self._fault = fault

    def get_model_version(self, name: str, version: str) -> Any:
        self._may_fail("get")
        return SimpleNamespace(run_id="the-run")

    def get_run(self, run_id: str) -> Any:
        return SimpleNamespace(data=SimpleNamespace(metrics=self._metrics))

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        self._may_fail("alias")
        self.done.append(f"{alias} of {name} is {version}, after {len(self._server.requests)} promotions")

    def _may_fail(self, step: str) -> None:
        if step == self._fault:
            raise ConnectionError(f"with {TOKEN}")


def test_the_alias_is_set_before_the_promotion_and_no_key_hides_that_a_webhook_says_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "0199-flow")
    with serving(accepted()) as server:
        registry = Registry(server, {"accuracy": 0.9234})
        relay = Relay(server.url, TOKEN)
        result = promote_version("m", 5, accuracy_metric="accuracy", relay=relay, client=registry)
    assert result.status == "accepted"
    assert registry.done == ["champion of m is 5, after 0 promotions"]
    [request] = server.requests
    assert request.json == {"model": "m", "version": "5", "environment": "production", "accuracy": 0.9234}
    assert "idempotency-key" not in request.headers


@pytest.mark.parametrize(("metrics", "fault"), [({}, ""), ({"accuracy": 0.5}, "get")])
def test_an_accuracy_that_can_not_be_read_keeps_nothing_back(metrics: dict[str, float], fault: str) -> None:
    with serving(accepted()) as server:
        registry = Registry(server, metrics, fault)
        relay = Relay(server.url, TOKEN)
        assert promote_version("m", "5", accuracy_metric="accuracy", relay=relay, client=registry).ok
    assert "accuracy" not in server.requests[0].json


def test_without_the_alias_nothing_is_promoted(caplog: pytest.LogCaptureFixture) -> None:
    with serving(accepted()) as server:
        registry = Registry(server, fault="alias")
        relay = Relay(server.url, TOKEN)
        result = promote_version("m", "5", relay=relay, client=registry)
        with pytest.raises(PromotionError):
            promote_version("m", "5", relay=relay, client=registry, raise_on_error=True)
    assert result.status == "unavailable"
    assert "MLflow did not set the alias 'champion': ConnectionError" in result.reason
    assert server.requests == []
    assert TOKEN not in caplog.text
