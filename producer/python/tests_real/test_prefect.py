"""With Prefect itself, and its own temporary server."""

from __future__ import annotations

import pytest
from prefect import flow
from prefect.testing.utilities import prefect_test_harness

from promotion_relay import PromoteResult, PromotionError
from promotion_relay.prefect import promote_model
from tests.up import Up


@pytest.fixture(scope="module", autouse=True)
def _prefect() -> object:
    with prefect_test_harness(server_startup_timeout=120):
        yield


def test_a_flow_run_that_is_tried_again_makes_one_promotion_of_each_version(there: Up, model: str) -> None:
    results: list[PromoteResult] = []

    @flow(retries=1)
    def train() -> None:
        results.extend(promote_model(model, version, accuracy=0.5) for version in ("1", "2"))
        if len(results) == 2:
            raise RuntimeError("a later step fails")

    train()
    assert [result.status for result in results] == ["accepted", "accepted", "duplicate", "duplicate"]
    assert [one["version"] for one in there.promotions_of(model)] == ["1", "2"]


def test_another_flow_run_promotes_anew(there: Up, model: str) -> None:
    @flow
    def train() -> PromoteResult:
        return promote_model(model, "1")

    assert [train().status, train().status] == ["accepted", "accepted"]


def test_a_relay_that_is_away_fails_no_flow_unless_it_is_asked_to(model: str) -> None:
    @flow
    def train(raise_on_error: bool) -> PromoteResult:
        return promote_model(model, "1", raise_on_error=raise_on_error)

    assert train(False).status == "unavailable"
    with pytest.raises(PromotionError):
        train(True)
