"""
A training pipeline as people write them, for the tests of test/ct: a Prefect flow that trains a small model with
scikit-learn, evaluates it, registers the version in MLflow, moves the alias and promotes. It tells in lines of JSON
what it did. MLFLOW_TRACKING_URI, PREFECT_API_URL, RELAY_URL and RELAY_API_TOKEN are in the environment.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import mlflow
from mlflow import sklearn as mlflow_sklearn
from prefect import flow, task
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from promotion_relay import PromoteResult, Relay
from promotion_relay.mlflow import promote_version


@task
def train(features: Any, labels: Any, iterations: int) -> LogisticRegression:
    return LogisticRegression(max_iter=iterations).fit(features, labels)


@task
def evaluate(classifier: LogisticRegression, features: Any, labels: Any) -> float:
    return float(classifier.score(features, labels))


@task
def register(name: str, classifier: LogisticRegression, accuracy: float) -> str:
    with mlflow.start_run():
        mlflow.log_metric("accuracy", accuracy)
        # Named, since finding them out takes a process of its own.
        logged = mlflow_sklearn.log_model(
            classifier, name="model", registered_model_name=name, pip_requirements=["scikit-learn"]
        )
    return str(logged.registered_model_version)


@task
def promote(name: str, version: str, accuracy: float, relay: Relay) -> PromoteResult:
    return promote_version(name, version, alias="champion", accuracy=accuracy, relay=relay)


@flow
def training(name: str, iterations: int, relay: Relay) -> None:
    train_x, test_x, train_y, test_y = train_test_split(*load_iris(return_X_y=True), random_state=1)
    classifier = train(train_x, train_y, iterations)
    accuracy = evaluate(classifier, test_x, test_y)
    version = register(name, classifier, accuracy)
    say(version=version, accuracy=accuracy)
    result = promote(name, version, accuracy, relay)
    say(status=result.status, id=result.id, reason=result.reason)


class NeverCalls(Relay):
    """A flow that gets no further than the alias: it waits to be killed there."""

    def promote(self, *_: Any, **__: Any) -> PromoteResult:
        say(alias="is set")
        time.sleep(600)
        raise RuntimeError("nobody has killed it")


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--iterations", type=int, default=3, help="the fewer the worse the model")
    parser.add_argument(
        "--timeout", type=float, default=20, help="of the call, seconds: the machine may be busy"
    )
    parser.add_argument("--never-call", action="store_true")
    given = parser.parse_args()
    relay = (NeverCalls if given.never_call else Relay)(timeout=given.timeout)
    training.with_options(validate_parameters=False)(given.model, given.iterations, relay)
