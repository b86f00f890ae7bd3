"""Waiting for the end, with a relay that answers when there is news, and with one that does not know how."""

from __future__ import annotations

import time
from typing import Any

from promotion_relay import get, wait_until_live

from .servers import ID, Behaviour, Server, answer, problem, serving

TOKEN = "a-token.of-the-tests_0001"
PATH = f"GET /v1/promotions/{ID}"


def stands(state: str, **more: Any) -> Behaviour:
    return answer(200, {"id": ID, "state": state, "reason": f"it is {state}", "run": None, **more})


def after(seconds: float, behaviour: Behaviour) -> Behaviour:
    def behave(line: Any, server: Server) -> None:
        server.ended.wait(seconds)
        behaviour(line, server)

    return behave


def test_a_relay_that_waits_for_news_is_asked_once_for_each() -> None:
    run = {"id": "7", "url": "https://github.example/runs/7", "status": "completed"}
    news = (after(0.4, stands("dispatched")), after(0.4, stands("deployed", run=run)))
    with serving(*news) as server:
        progress = wait_until_live(ID, 100, server.url, TOKEN)
    assert (progress.live, progress.run_url, progress.reason) == (True, run["url"], "it is deployed")
    assert [r.line.split(" HTTP")[0] for r in server.requests] == [f"{PATH}?wait=30"] * 2


def test_no_longer_is_waited_than_there_is_time() -> None:
    with serving(stands("deployed")) as server:
        wait_until_live(ID, 7.5, server.url, TOKEN)
        get(ID, server.url, TOKEN)
    assert [r.line.split(" HTTP")[0] for r in server.requests] == [f"{PATH}?wait=7", PATH]


def test_a_relay_that_does_not_wait_is_asked_now_and_then() -> None:
    with serving(stands("accepted")) as server:
        progress = wait_until_live(ID, 1.5, server.url, TOKEN)
    assert (progress.state, progress.ended, progress.reason) == ("accepted", False, "it is accepted")
    assert 2 <= len(server.requests) <= 6


def test_a_relay_that_is_down_for_a_while_is_asked_again() -> None:
    with serving(
        answer(502), stands("dispatched"), problem(503, "no ledger"), stands("superseded")
    ) as server:
        progress = wait_until_live(ID, 60, server.url, TOKEN)
    assert (progress.state, progress.live, progress.ended) == ("superseded", False, True)
    assert len(server.requests) == 4


def test_it_is_left_alone_for_as_long_as_it_asks() -> None:
    began = time.monotonic()
    with serving(problem(429, "too many", {"Retry-After": "1"}), stands("deployed")) as server:
        assert wait_until_live(ID, 60, server.url, TOKEN).live
    assert time.monotonic() - began >= 1


def test_one_that_a_person_has_to_look_at_is_not_waited_for() -> None:
    for state in ("dead_lettered", "unresolved"):
        with serving(stands(state)) as server:
            progress = wait_until_live(ID, 60, server.url, TOKEN)
        assert (progress.state, progress.live, progress.ended) == (state, False, True)
