from __future__ import annotations

import logging
from typing import Any

import pytest

from promotion_relay import Relay, flush, get, promote, wait_until_live

TOKEN = "a-token.of-the-tests_0001"


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __float__(self) -> float:
        raise RuntimeError("no")

    def __len__(self) -> int:
        raise RuntimeError("no")


NAN = float("nan")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"model": b"m"}, "model"),
        ({"model": Hostile()}, "model"),
        ({"model": "\ud800"}, "model"),
        ({"version": None}, "version"),
        ({"version": 1.5}, "version"),
        ({"version": True}, "version"),
        ({"version": -1}, "version"),
        ({"version": Hostile()}, "version"),
        ({"accuracy": "0.9"}, "accuracy"),
        ({"accuracy": NAN}, "accuracy"),
        ({"accuracy": True}, "accuracy"),
        ({"accuracy": Hostile()}, "accuracy"),
        ({"environment": None}, "environment"),
        ({"metrics": 5}, "metrics"),
        ({"metrics": {"loss": None}}, "metrics.loss"),
        ({"metrics": {"loss": float("inf")}}, "metrics.loss"),
        ({"metrics": {7: 0.5}}, "metrics"),
        ({"metrics": {str(n): 0.123456789 for n in range(10_000)}}, ""),
        ({"source": 5}, "source"),
        ({"rollback": "yes"}, "rollback"),
        ({"idempotency_key": 5}, "idempotency_key"),
        ({"idempotency_key": "ключ"}, "idempotency_key"),
        ({"idempotency_key": "k" * 256}, "idempotency_key"),
        ({"idempotency_key": "a\nb"}, "idempotency_key"),
        ({"timeout": "soon"}, "timeout"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": NAN}, "timeout"),
    ],
)
def test_a_wrong_argument_is_an_invalid_promotion(arguments: dict[str, Any], field: str, away: str) -> None:
    result = promote(**{"model": "m", "version": "1", "url": away, "token": TOKEN, **arguments})
    assert result.status == "invalid"
    assert [problem.field for problem in result.problems] == [field]


def test_every_wrong_argument_is_named_at_once(away: str) -> None:
    result = promote(5, None, NAN, url=away, token=TOKEN)  # type: ignore[arg-type]
    assert [problem.field for problem in result.problems] == ["model", "version", "accuracy"]


@pytest.mark.parametrize("wrong", [5, b"x", Hostile(), ["a"]])
def test_settings_of_a_wrong_type(wrong: Any, away: str) -> None:
    assert not promote("m", "1", url=wrong, token=TOKEN, timeout=0.3).ok
    assert not promote("m", "1", url=away, token=wrong, timeout=0.3).ok
    assert not promote("m", "1", url=away, token=TOKEN, timeout=0.3, spool_dir=wrong).ok
    assert not flush(wrong, away, TOKEN, timeout=0.3).ok
    assert get(wrong, away, TOKEN).state is None
    assert wait_until_live(wrong, 0.2, away, TOKEN).state is None
    assert wait_until_live("x", "soon", away, TOKEN).state is None  # type: ignore[arg-type]


def test_nothing_set_at_all() -> None:
    assert "RELAY_URL is not set" in promote("m", "1").reason
    assert "RELAY_API_TOKEN is not set" in promote("m", "1", url="http://127.0.0.1:1").reason
    assert "SPOOL_DIR is not set" in flush().reason
    assert "RELAY_URL is not set" in get("x").reason
    assert "RELAY_URL is not set" in wait_until_live("x").reason


def test_it_is_told_in_the_log(away: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "promotion_relay")
    Relay(away, TOKEN, timeout=0.2).promote("fraud\ndetector", "5")
    assert [(r.name, r.levelname) for r in caplog.records] == [("promotion_relay", "WARNING")]
    assert r"'fraud\ndetector' '5': unavailable" in caplog.text
