"""With MLflow itself, on SQLite."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from promotion_relay import promote, wait_until_live
from promotion_relay.mlflow import promote_version
from tests.up import Up


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    return MlflowClient()


def test_a_version_gets_its_alias_and_its_promotion_with_the_accuracy_of_its_run(
    there: Up, client: MlflowClient, model: str
) -> None:
    client.create_registered_model(model)
    with mlflow.start_run() as run:
        mlflow.log_metric("val_acc", 0.9234)
        version = client.create_model_version(model, source=run.info.artifact_uri, run_id=run.info.run_id)
        result = promote_version(model, version.version, accuracy_metric="val_acc")
    assert result.status == "accepted"
    assert result.id is not None
    assert client.get_model_version_by_alias(model, "champion").version == version.version
    assert wait_until_live(result.id, 30).live
    [inputs] = there.runs_of(model)
    assert (inputs["model_version"], inputs["model_accuracy"]) == (str(version.version), "0.9234")
    # What a webhook would say of the same alias is known by its version.
    assert promote(model, version.version).status == "duplicate"


def test_a_model_that_is_not_registered_is_not_promoted(there: Up, client: MlflowClient, model: str) -> None:
    result = promote_version(model, "1")
    assert (result.status, result.reason) == (
        "unavailable",
        "MLflow did not set the alias 'champion': MlflowException",
    )
    assert there.promotions_of(model) == []


def test_an_active_run_is_the_key(there: Up, client: MlflowClient, model: str) -> None:
    with mlflow.start_run():
        first = promote(model, "1")
        assert promote(model, "1").id == first.id
    with mlflow.start_run():
        assert promote(model, "1").status == "accepted"
    assert len(there.promotions_of(model)) == 2
