"""
Prefect 3: a flow that trains and promotes. The Python client is there (`pip install ./producer/python`), and RELAY_URL,
RELAY_API_TOKEN and, for when the relay is away, SPOOL_DIR are in the environment.

The task succeeds whatever the relay says: no flow fails for it. Tried again in its flow run it is the same promotion.
"""

from __future__ import annotations

from prefect import flow, task

from promotion_relay.prefect import promote_model


@task
def train() -> tuple[str, float]:
    return "5", 0.9234  # your training


@flow
def training() -> None:
    version, accuracy = train()
    result = promote_model("fraud-detector", version, accuracy=accuracy)
    print(result.status, result.id)


if __name__ == "__main__":
    training()
