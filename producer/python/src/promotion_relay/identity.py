"""
The idempotency key of a promotion that was given none: from the run that promotes, so that a task that is tried again
makes no second promotion, while a run that promotes two versions makes two. Outside of a run there is none: then the
relay goes by model, environment and version.
"""

from __future__ import annotations

import hashlib
import os
import sys
from typing import Optional

from .request import KEY_LIMIT, Request, checked_key, target_of


def key_for(given: Optional[str], request: Request) -> Optional[str]:
    """
    The caller's own; '' says none. To be asked in the caller's thread, which is the one that runs are known by.

    :raises Invalid: where the caller's own can't be sent.
    """
    if given is not None:
        return checked_key(given) or None
    run = _prefect_flow_run() or _mlflow_run()
    if run is None:
        return None
    # Going back to a version is other news than its promotion before, also within one run.
    news = "\n".join((target_of(request), str(request["version"]), str(request.get("rollback", False))))
    key = f"{run}-{hashlib.sha256(news.encode()).hexdigest()[:24]}"
    return key if key.isascii() and key.isprintable() and len(key) <= KEY_LIMIT else None


def _prefect_flow_run() -> Optional[str]:
    run = os.environ.get("PREFECT__FLOW_RUN_ID")
    # Never imported from here: that takes seconds, and a flow has done so.
    if "prefect" in sys.modules:
        try:
            from prefect.runtime import flow_run  # noqa: PLC0415

            run = flow_run.id or run
        except Exception:  # noqa: S110 - another Prefect than we know
            pass
    return f"prefect-{run}" if run else None


def _mlflow_run() -> Optional[str]:
    mlflow = sys.modules.get("mlflow")
    try:
        run = mlflow.active_run() if mlflow is not None else None
        return f"mlflow-{run.info.run_id}" if run is not None else None
    except Exception:  # another MLflow than we know
        return None
