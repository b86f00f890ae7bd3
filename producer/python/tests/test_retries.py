from __future__ import annotations

import random
import time

import pytest

from promotion_relay import promote

from .servers import ID, accepted, answer, problem, resets, says, serving

TOKEN = "a-token.of-the-tests_0001"


def test_a_fault_that_passes_is_got_over_within_the_deadline() -> None:
    with serving(answer(502), resets, says(b""), problem(503, "no ledger"), accepted()) as server:
        result = promote("m", "1", url=server.url, token=TOKEN, timeout=20)
    assert (result.status, result.id) == ("accepted", ID)
    assert server.connections == 5


def test_each_attempt_says_the_same_with_the_same_key() -> None:
    with serving(answer(500), answer(500), accepted()) as server:
        promote("m", "1", 0.5, url=server.url, token=TOKEN, idempotency_key="mine", timeout=20)
    assert {(r.body, r.headers["idempotency-key"]) for r in server.requests} == {
        (server.requests[0].body, "mine")
    }
    assert server.requests[0].json == {
        "model": "m",
        "version": "1",
        "environment": "production",
        "accuracy": 0.5,
    }


def test_the_pauses_grow_and_are_left_to_chance() -> None:
    pauses: list[float] = []
    for _ in range(5):
        with serving(answer(500)) as server:
            promote("m", "1", url=server.url, token=TOKEN, timeout=1)
        times = [request.at for request in server.requests]
        pauses.append(times[1] - times[0])
        assert len(times) in (3, 4, 5)
    # Half of a first pause of 100 ms is left to chance: five within 2 ms happen once in 80,000.
    assert max(pauses) - min(pauses) > 0.002


def test_retry_after_is_kept() -> None:
    with serving(problem(429, "too fast", {"Retry-After": "1"}), accepted()) as server:
        assert promote("m", "1", url=server.url, token=TOKEN, timeout=20).ok
    first, second = server.requests
    assert second.at - first.at >= 1


def test_a_retry_after_beyond_the_deadline_is_not_waited_for() -> None:
    began = time.monotonic()
    with serving(problem(503, "no ledger", {"Retry-After": "30"})) as server:
        result = promote("m", "1", url=server.url, token=TOKEN, timeout=5)
    assert (result.status, server.connections) == ("unavailable", 1)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("refusal", [problem(400, "Not valid"), problem(401, "no"), answer(404), answer(301)])
def test_what_another_attempt_would_not_mend_is_not_tried_again(refusal: object) -> None:
    with serving(refusal) as server:  # type: ignore[arg-type]
        promote("m", "1", url=server.url, token=TOKEN)
    assert server.connections == 1


def test_the_dice_of_a_training_run_are_left_alone() -> None:
    random.seed(42)
    untouched = random.getstate()
    with serving(answer(500), accepted()) as server:
        promote("m", "1", url=server.url, token=TOKEN)
    assert random.getstate() == untouched
