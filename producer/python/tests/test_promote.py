"""Against a real relay: its API, its ledger, and a simulated GitHub that counts the runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from promotion_relay import PromotionError, Relay, get, promote, wait_until_live

from .servers import ID, loses_the_answer, serving
from .up import Up


class NumpyLike:
    """What numpy and torch give for a number."""

    def __float__(self) -> float:
        return 0.5

    def __index__(self) -> int:
        return 12


@pytest.fixture
def there(relay: Up, monkeypatch: pytest.MonkeyPatch) -> Up:
    """Settings in the environment, as a flow has them."""
    monkeypatch.setenv("RELAY_URL", relay.url)
    monkeypatch.setenv("RELAY_API_TOKEN", relay.token)
    return relay


def test_a_promotion_is_accepted_deployed_once_and_seen_live(there: Up, model: str) -> None:
    result = promote(model, "5", accuracy=0.9234, metrics={"f1": 0.9}, source="nightly")
    assert (result.status, result.state, result.ok) == ("accepted", "accepted", True)
    assert result.id is not None

    progress = wait_until_live(result.id, timeout=30)

    assert (progress.state, progress.live, progress.ended) == ("deployed", True, True)
    assert progress.run_url is not None
    assert progress.run_url.startswith("http")
    assert progress.promotion["metrics"] == {"f1": 0.9}
    runs = there.runs_of(model)
    assert [(r["model_version"], r["model_accuracy"], r["trigger_source"]) for r in runs] == [
        ("5", "0.9234", "nightly")
    ]
    assert get(result.id) == progress


def test_the_same_version_again_is_a_duplicate(there: Up, model: str) -> None:
    first = promote(model, 5)
    again = promote(model, "5")
    assert (again.status, again.id, again.ok) == ("duplicate", first.id, True)


def test_whole_numbers_and_figures_of_other_libraries_are_taken(there: Up, model: str) -> None:
    result = promote(model, NumpyLike(), accuracy=NumpyLike(), metrics={"loss": NumpyLike()})  # type: ignore[arg-type]
    assert result.status == "accepted"
    assert result.id is not None
    promotion = get(result.id).promotion
    assert (promotion["version"], promotion["accuracy"], promotion["metrics"]) == ("12", 0.5, {"loss": 0.5})


def test_every_wrong_field_is_named_by_the_relay(there: Up, model: str) -> None:
    result = promote(model, "", accuracy=1.5, environment="a b")
    assert result.status == "invalid"
    assert {p.field for p in result.problems} == {"version", "accuracy", "environment"}
    assert all(p.problem for p in result.problems)


def test_a_key_belongs_to_one_promotion(there: Up, model: str) -> None:
    first = promote(model, "1", idempotency_key=f"{model}-key")
    assert promote(model, "1", idempotency_key=f"{model}-key").id == first.id
    other = promote(model, "2", idempotency_key=f"{model}-key")
    assert (other.status, other.ok) == ("key_reused", False)
    assert str(first.id) in other.reason


def test_going_back_is_asked_for(there: Up, model: str) -> None:
    for version in ("1", "2"):
        promoted = promote(model, version)
        assert promoted.id is not None
        assert wait_until_live(promoted.id, 30).live
    assert promote(model, "1").status == "duplicate"
    assert promote(model, "1", rollback=True).status == "accepted"


def test_a_wrong_token_is_unauthorized(there: Up, model: str) -> None:
    result = promote(model, "1", token="not-the-token-of-it")
    assert (result.status, result.ok) == ("unauthorized", False)
    progress = wait_until_live(ID, 30, token="not-the-token-of-it")
    assert (progress.state, progress.reason) == (
        None,
        "the relay answered 401 A valid bearer token is needed",
    )


def test_a_token_file_is_read_anew_at_each_call(
    there: Up, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    monkeypatch.delenv("RELAY_API_TOKEN")
    monkeypatch.setenv("RELAY_API_TOKEN_FILE", str(file))
    relay = Relay()
    assert "RELAY_API_TOKEN_FILE" in relay.promote(model, "1").reason
    file.write_text("an-old-token\n")
    assert relay.promote(model, "1").status == "unauthorized"
    file.write_text(f"{there.token}\n")
    assert relay.promote(model, "1").status == "accepted"


def test_a_lost_answer_is_tried_again_and_makes_no_second_run(there: Up, model: str) -> None:
    with serving(loses_the_answer(there.url), loses_the_answer(there.url)) as proxy:
        lost = promote(model, "1", url=proxy.url, timeout=1)
    assert lost.status == "unavailable"
    assert proxy.connections > 1
    known = promote(model, "1")
    assert known.status == "duplicate"
    assert known.id is not None
    assert wait_until_live(known.id, 30).live
    assert len(there.runs_of(model)) == 1
    assert len(there.promotions_of(model)) == 1


def test_waiting_ends_when_the_run_fails(there: Up, model: str) -> None:
    there.simulator("POST", "life", {"queuedMs": 50, "runMs": 150, "conclusion": "failure"})
    try:
        result = promote(model, "1")
        assert result.id is not None
        progress = wait_until_live(result.id, timeout=30)
    finally:
        there.simulator("POST", "life", {"queuedMs": 50, "runMs": 150, "conclusion": "success"})
    assert (progress.state, progress.live, progress.ended) == ("failed", False, True)
    assert progress.reason


def test_waiting_ends_with_its_time_and_says_how_it_stands(there: Up, model: str) -> None:
    there.simulator("POST", "life", {"queuedMs": 20_000, "runMs": 20_000})
    try:
        result = promote(model, "1")
        assert result.id is not None
        progress = wait_until_live(result.id, timeout=1)
    finally:
        there.simulator("POST", "life", {"queuedMs": 50, "runMs": 150})
    assert progress.state in ("accepted", "dispatching", "dispatched")
    assert (progress.live, progress.ended) == (False, False)


def test_an_unknown_promotion_is_not_waited_for(there: Up) -> None:
    progress = wait_until_live(ID, timeout=30)
    assert (progress.state, progress.reason) == (None, "the relay answered 404 No such promotion")
    assert not progress.ended


def test_it_raises_where_it_is_asked_to(there: Up, model: str) -> None:
    promote(model, "1", raise_on_error=True)
    with pytest.raises(PromotionError, match="accuracy must be between 0 and 1") as raised:
        promote(model, "2", accuracy=7, raise_on_error=True)
    assert raised.value.result.status == "invalid"
