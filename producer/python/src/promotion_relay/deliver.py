"""
Brings one promotion to the relay: tries again what another attempt may mend, as long as the window allows. Safe, since
the relay knows a promotion again: by its id where it can be spooled, by its idempotency key, else by model, environment
and version.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any, Optional

from .exchange import Answer, NoAnswer, exchange
from .request import Request
from .result import Problem, PromoteResult
from .settings import Server
from .window import Window

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0

# Not the generator that a training run has seeded: it must not be moved on, nor make all runs wait alike.
_dice = random.SystemRandom()


@dataclass(frozen=True)
class Verdict:
    """What an attempt came to."""

    result: PromoteResult
    again: bool = False
    """Another attempt may end otherwise."""
    wait: float = 0.0
    """Seconds that the relay asks to be left alone before it."""
    away: bool = False
    """No other promotion would fare better now."""

    @property
    def settled(self) -> bool:
        """The relay has it, or will never take it."""
        return self.result.status not in ("unavailable", "unauthorized")


def deliver(
    request: Request,
    idempotency_key: Optional[str],
    server: Server,
    window: Window,
    attempts: Optional[int] = None,
    said: Optional[list[str]] = None,
) -> Verdict:
    """
    Never raises. With `attempts` it gives up after so many; `said` takes the reason of each that failed, for who
    stops waiting in the midst of it.
    """
    attempt = 0
    while True:
        attempt += 1
        verdict = _attempt(request, idempotency_key, server, window)
        if said is not None and not verdict.settled:
            said.append(verdict.result.reason)
        if not verdict.again or attempt == attempts:
            return verdict
        pause = max(verdict.wait, _pause_after(attempt))
        if pause >= window.left:
            return verdict
        window.pause(pause)


def _attempt(request: Request, idempotency_key: Optional[str], server: Server, window: Window) -> Verdict:
    try:
        answer = exchange(server, window, "POST", "/v1/promotions", request, idempotency_key)
    except NoAnswer as none:
        reason = f"the relay at {server.shown} can't be reached: {none}"
        return Verdict(PromoteResult("unavailable", reason=reason), again=True, away=True)
    verdict = verdict_on(answer, is_named=idempotency_key is not None or "id" in request)
    hidden = server.token.hidden_in
    result = verdict.result
    shown = replace(
        result,
        id=result.id and hidden(result.id),
        state=result.state and hidden(result.state),
        reason=hidden(result.reason),
        problems=tuple(Problem(hidden(p.field), hidden(p.problem)) for p in result.problems),
    )
    return replace(verdict, result=shown)


def verdict_on(answer: Answer, is_named: bool) -> Verdict:
    """The table of the relay's answers; `is_named`: it was sent with an idempotency key or an id."""
    status, body = answer.status, answer.body
    said = f"the relay answered {status} {_text(body.get('title'))}".strip()
    if status == 202 and isinstance(body.get("id"), str):
        return Verdict(_accepted(body))
    if status in (401, 403):
        return Verdict(PromoteResult("unauthorized", reason=said), away=True)
    if answer.is_problem and status == 422 and is_named:
        reason = f"{said}. {_text(body.get('detail'))}".strip()
        return Verdict(PromoteResult("key_reused", reason=reason))
    if answer.is_problem and status in (400, 413, 422):
        problems = _problems(body.get("errors")) or (Problem("", _text(body.get("title"))),)
        return Verdict(PromoteResult("invalid", reason=said, problems=problems))
    if status == 202:
        said = "the relay answered 202 and no promotion"
    again = status >= 500 or status in (202, 408, 429)
    # What it refuses for one promotion alone, it would say otherwise.
    away = not again or status in (429, 503)
    return Verdict(PromoteResult("unavailable", reason=said), again, answer.retry_after or 0.0, away)


def _accepted(body: Any) -> PromoteResult:
    promotion, state = _text(body["id"]), _text(body.get("state"))
    if body.get("status") == "duplicate":
        reason = ""
        if state in ("failed", "cancelled", "timed_out", "dead_lettered", "skipped"):
            # Without a key it would have been taken anew.
            reason = f"promoted before under this idempotency key, and {state}: another key promotes it again"
        return PromoteResult("duplicate", promotion, state, reason)
    if "skipped" in (state, body.get("status")):
        return PromoteResult("skipped", promotion, state, "recorded, and not deployed: get(id) says why")
    if state == "superseded":
        reason = "recorded, and not deployed: something newer was promoted before it got there"
        return PromoteResult("superseded", promotion, state, reason)
    return PromoteResult("accepted", promotion, state)


def _problems(errors: object) -> tuple[Problem, ...]:
    return tuple(
        Problem(_text(error.get("field")), _text(error.get("problem")))
        for error in (errors if isinstance(errors, list) else [])[:100]
        if isinstance(error, dict)
    )


def _text(value: object) -> str:
    """Made safe to show: cut, one line."""
    return "".join(c if c.isprintable() else "?" for c in value[:300]) if isinstance(value, str) else ""


def _pause_after(attempt: int) -> float:
    """Exponential with jitter: half of it by chance."""
    full = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(attempt - 1, 20))
    return full * (0.5 + 0.5 * _dice.random())
