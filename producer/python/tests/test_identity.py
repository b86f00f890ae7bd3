"""Which news are the same: idempotency keys of runs, and none where there is no run."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, Optional

import pytest

from promotion_relay import promote

from .servers import accepted, serving

TOKEN = "a-token.of-the-tests_0001"


def key_of(version: str = "1", **more: Any) -> Optional[str]:
    with serving(accepted()) as server:
        assert promote("m", version, url=server.url, token=TOKEN, **more).ok
    return server.requests[0].headers.get("idempotency-key")


@pytest.fixture
def flow_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "0199-flow")


def test_outside_of_a_run_there_is_none_and_the_relay_goes_by_version() -> None:
    assert key_of() is None


@pytest.mark.usefixtures("flow_run")
def test_a_task_that_is_tried_again_says_the_same() -> None:
    key = key_of()
    assert key == key_of(accuracy=0.5)
    assert key is not None
    assert key.startswith("prefect-0199-flow-")


@pytest.mark.usefixtures("flow_run")
def test_other_news_of_the_same_run_have_other_keys() -> None:
    keys = {key_of(), key_of("2"), key_of(environment="staging"), key_of(rollback=True)}
    assert len(keys) == 4


def test_another_run_has_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "one")
    first = key_of()
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "two")
    assert key_of() != first


@pytest.mark.usefixtures("flow_run")
def test_the_callers_own_key_is_taken_and_an_empty_one_says_none() -> None:
    assert key_of(idempotency_key="mine") == "mine"
    assert key_of(idempotency_key="") is None


def test_an_active_run_of_mlflow_gives_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    active = SimpleNamespace(active_run=lambda: SimpleNamespace(info=SimpleNamespace(run_id="abc")))
    monkeypatch.setitem(sys.modules, "mlflow", active)
    key = key_of()
    assert key is not None
    assert key.startswith("mlflow-abc-")
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "0199-flow")
    assert str(key_of()).startswith("prefect-")


def test_a_library_that_is_another_than_we_know_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "prefect", SimpleNamespace())
    assert key_of() is None
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(active_run=lambda: 1 / 0))
    assert key_of() is None


def test_a_library_that_is_not_loaded_is_not_loaded_for_it() -> None:
    key_of()
    assert not {"prefect", "mlflow"} & set(sys.modules)
