"""One spool for both: what the relay's command line (TypeScript) keeps, Python delivers, and the other way round."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from promotion_relay import flush, promote

from .up import CHECKOUT, NODE, Up

KEY = "run-7"


def by_typescript(spool_dir: Path, *arguments: str, url: str, token: str = "no-token") -> Any:
    """What `promotion-relay` prints as JSON."""
    settings = {"SPOOL_DIR": str(spool_dir), "RELAY_API_TOKEN": token}
    said = subprocess.run(
        [NODE, CHECKOUT / "cli.ts", *arguments, "--url", url, "--json"],
        cwd=spool_dir.parent,
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 0, said
    return json.loads(said.stdout)


def left_in(spool_dir: Path) -> list[str]:
    return [name for name in os.listdir(spool_dir) if name != ".lock"]


def test_python_delivers_what_typescript_kept(relay: Up, spool_dir: Path, model: str, away: str) -> None:
    kept = [
        by_typescript(spool_dir, "promote", "--model", model, "--version", version, *more, url=away)
        for version, more in (("1", ["--accuracy", "0.5", "--idempotency-key", KEY]), ("2", ["--rollback"]))
    ]
    assert [one["status"] for one in kept] == ["spooled", "spooled"]

    # A promotion by Python goes behind what waits, whoever kept it.
    behind = promote(model, "3", spool_dir=spool_dir, url=away, token=relay.token)
    assert behind.status == "spooled"
    flushed = flush(spool_dir, relay.url, relay.token)

    ids = [one["id"] for one in kept] + [behind.id]
    assert [(one.status, one.id) for one in flushed.delivered] == [("accepted", one) for one in ids]
    promotions = relay.promotions_of(model)
    assert [(one["version"], one["id"]) for one in promotions] == list(zip(("1", "2", "3"), ids))
    assert promotions[0]["accuracy"] == 0.5
    assert promote(model, "1", url=relay.url, token=relay.token, idempotency_key=KEY).id == ids[0]
    assert left_in(spool_dir) == []


def test_typescript_delivers_what_python_kept(relay: Up, spool_dir: Path, model: str, away: str) -> None:
    first = promote(
        model, "1", 0.5, spool_dir=spool_dir, url=away, token=relay.token, idempotency_key=KEY + "b"
    )
    second = promote(model, "2", metrics={"f1": 0.25}, spool_dir=spool_dir, url=away, token=relay.token)
    assert {first.status, second.status} == {"spooled"}

    third = by_typescript(
        spool_dir, "promote", "--model", model, "--version", "3", url=relay.url, token=relay.token
    )

    assert third["status"] == "accepted"
    promotions = relay.promotions_of(model)
    ids = [first.id, second.id, third["id"]]
    assert [(one["version"], one["id"]) for one in promotions] == list(zip(("1", "2", "3"), ids))
    assert (promotions[0]["accuracy"], promotions[1]["metrics"]) == (0.5, {"f1": 0.25})
    assert promote(model, "1", url=relay.url, token=relay.token, idempotency_key=KEY + "b").id == first.id
    assert left_in(spool_dir) == []


def test_both_at_once_make_one_promotion_of_each(relay: Up, spool_dir: Path, model: str, away: str) -> None:
    kept = [promote(model, str(n), spool_dir=spool_dir, url=away, token=relay.token).id for n in range(1, 9)]
    settings = {"PATH": os.environ["PATH"], "SPOOL_DIR": str(spool_dir), "RELAY_API_TOKEN": relay.token}
    with subprocess.Popen(
        [NODE, CHECKOUT / "cli.ts", "flush", "--url", relay.url],
        cwd=spool_dir.parent,
        env=settings,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        ours = flush(spool_dir, relay.url, relay.token)
        other.communicate(timeout=60)
    assert (ours.ok, other.returncode) == (True, 0)
    assert [one["id"] for one in relay.promotions_of(model)] == kept
    assert left_in(spool_dir) == []
