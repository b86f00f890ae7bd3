"""
Airflow 3: a DAG that trains and promotes. The worker has the Python client (`pip install ./producer/python`) and
RELAY_URL and RELAY_API_TOKEN in its environment.

A task of its own may fail, and Airflow tries it again; the key makes that the same promotion.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import dag, task


@dag(schedule="@weekly", start_date=datetime(2026, 1, 1), catchup=False)
def fraud_detector() -> None:
    @task
    def train() -> dict[str, object]:
        return {"version": "5", "accuracy": 0.9234}  # your training

    @task(retries=5, retry_delay=timedelta(minutes=5))
    def promote(trained: dict[str, object], run_id: str | None = None) -> str:
        import promotion_relay

        result = promotion_relay.promote(
            "fraud-detector",
            trained["version"],
            accuracy=trained["accuracy"],
            idempotency_key=f"{run_id}-{trained['version']}",
            raise_on_error=True,
        )
        return result.id

    promote(train())


fraud_detector()
