"""The relay as a client sees it. Nothing here raises, unless asked to, and a call is over within its deadline."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional, SupportsFloat, Union
from urllib.parse import quote

from .deliver import Verdict, deliver
from .entry import Entry, new_entry
from .exchange import NoAnswer, exchange
from .identity import key_for
from .request import Invalid, request_of
from .result import FlushResult, Problem, Progress, PromoteResult, PromotionError
from .settings import Secret, Unset, server_from, spool_dir_from
from .spool import Spool, TooLate, fault_of
from .window import Window

DEADLINE_SECONDS = 2.0
FLUSH_SECONDS = 30.0
WAIT_SECONDS = 3600.0

# Of a deadline: kept for the disk, where there is a spool.
SPOOL_RESERVE_SECONDS = 0.5
# While one process delivers: no other one is kept from its turn by a promotion that the relay can't digest.
SPOOL_ATTEMPTS = 3
LONG_POLL_SECONDS = 30
FIRST_LOOK_SECONDS = 0.25
LONGEST_LOOK_SECONDS = 5.0
GRACE_SECONDS = 0.2

log = logging.getLogger("promotion_relay")


class Relay:
    """
    A relay and how it is called. What is not given comes from `RELAY_URL`, `RELAY_API_TOKEN` or
    `RELAY_API_TOKEN_FILE`, and `SPOOL_DIR`, anew at each call.

    :param timeout: seconds within which `promote` and `get` answer, whatever is down.
    :param spool_dir: where promotions are kept that the relay can't be given now; without it there is no spool.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        token: Optional[str] = None,
        *,
        timeout: float = DEADLINE_SECONDS,
        spool_dir: Optional[Union[str, os.PathLike[str]]] = None,
    ) -> None:
        self._url = url
        # What is no text is no token; it is told when it is used.
        self._token = None if token is None else Secret(token if isinstance(token, str) else " ")
        self._timeout = timeout
        self._spool_dir = spool_dir

    def __repr__(self) -> str:
        return f"Relay(timeout={self._timeout!r})"

    def promote(
        self,
        model: str,
        version: Union[str, int],
        accuracy: Optional[SupportsFloat] = None,
        environment: str = "production",
        metrics: Optional[Mapping[str, SupportsFloat]] = None,
        source: Optional[str] = None,
        rollback: bool = False,
        idempotency_key: Optional[str] = None,
        raise_on_error: bool = False,
    ) -> PromoteResult:
        """
        Tells the relay that this version is promoted.

        :param accuracy: share of right predictions, 0 to 1.
        :param metrics: further figures of the training run.
        :param source: who asks for the deployment; the relay's own word without it.
        :param rollback: going back to a version seen before is meant.
        :param idempotency_key: the same key never makes a second promotion (for 90 days); '' for none. By default that
            of the Prefect flow run or the active MLflow run, where there is one.
        :raises PromotionError: only with `raise_on_error`, where the result is not `ok`.
        """
        fields = {
            "model": model,
            "version": version,
            "accuracy": accuracy,
            "environment": environment,
            "metrics": metrics,
            "source": source,
            "rollback": rollback,
        }
        try:
            result = self._promote(fields, idempotency_key)
        except Invalid as invalid:
            result = PromoteResult("invalid", reason="not a valid promotion", problems=invalid.problems)
        except Exception as error:
            # A fault of this package, or of an object it was given: no training run ends for it.
            result = PromoteResult("unavailable", reason=f"unexpected {type(error).__name__}")
        _tell(model, version, result)
        if raise_on_error and not result.ok:
            raise PromotionError(result)
        return result

    def flush(self, timeout: float = FLUSH_SECONDS) -> FlushResult:
        """
        Delivers what the spool holds: for each target the older first, and none after one that failed.

        :param timeout: seconds.
        """
        try:
            directory = spool_dir_from(self._spool_dir)
            if directory is None:
                return FlushResult(reason="SPOOL_DIR is not set")
            spool = Spool(directory)
            window = Window(_seconds(timeout))
            flushed = window.run(lambda: self._flush(spool, window), GRACE_SECONDS)
        except Invalid as invalid:
            return FlushResult(reason=_words_of(invalid))
        except Unset as unset:
            return FlushResult(reason=str(unset))
        except Exception as error:
            return FlushResult(reason=f"unexpected {type(error).__name__}")
        flushed = flushed or FlushResult(reason=f"not at its end within {timeout:g} s")
        _tell_flush(flushed)
        return flushed

    def get(self, promotion_id: str) -> Progress:
        """How a promotion stands; `state` is None and `reason` says why, where that can't be told."""
        try:
            return self._ask(_id(promotion_id), Window(_seconds(self._timeout)))[0]
        except Invalid as invalid:
            return Progress("", reason=_words_of(invalid))

    def wait_until_live(self, promotion_id: str, timeout: float = WAIT_SECONDS) -> Progress:
        """
        Waits until the version is live, or will not be by itself, or the time is over; `live` and `ended` tell which.
        A relay that is away meanwhile is asked again.

        :param timeout: seconds.
        """
        try:
            window = Window(_seconds(timeout))
            known = Progress(_id(promotion_id))
        except Invalid as invalid:
            return Progress("", reason=_words_of(invalid))
        look = FIRST_LOOK_SECONDS
        while True:
            began = time.monotonic()
            seen, final, wait = self._ask(known.id, window, long_poll=True)
            if seen.state is not None:
                known = seen
            elif not (window.over and known.reason):
                # The last look, cut short, tells less than the one before.
                known = replace(known, reason=seen.reason)
            if final or known.ended or window.over:
                return known
            # A relay that waits until there is news has done the waiting.
            window.pause(max(look - (time.monotonic() - began), wait))
            look = min(LONGEST_LOOK_SECONDS, look * 1.5)

    def _promote(self, fields: Mapping[str, Any], idempotency_key: Optional[str]) -> PromoteResult:
        seconds = _seconds(self._timeout)
        whole = Window(seconds)
        request = request_of(**fields)
        entry = new_entry(request, key_for(idempotency_key, request))
        directory = spool_dir_from(self._spool_dir)
        spool = Spool(directory) if directory is not None else None
        reserve = min(SPOOL_RESERVE_SECONDS, seconds / 2) if spool else 0.0
        network = Window(seconds - reserve)

        carried: list[Verdict] = []
        said: list[str] = []
        try:
            network.run(lambda: self._carry(entry, spool, network, carried, said))
        except Unset as unset:
            status = PromoteResult("unauthorized" if unset.of_token else "unavailable", reason=str(unset))
            carried.append(Verdict(status))
        except Exception as error:
            said.append(f"unexpected {type(error).__name__}")
        if carried:
            verdict = carried[0]
        else:
            last = f" ({said[-1]})" if said else ""
            late = f"the relay did not answer within {seconds - reserve:g} s{last}"
            verdict = Verdict(PromoteResult("unavailable", reason=late))
        if verdict.settled or spool is None:
            return verdict.result
        return _spooled(entry, spool, whole, verdict.result)

    def _carry(
        self, entry: Entry, spool: Optional[Spool], window: Window, carried: list[Verdict], said: list[str]
    ) -> None:
        """Older ones of the same target first: else they would be put over this one later."""
        server = server_from(self._url, self._token)
        if spool is not None:
            older = spool.flush(
                lambda e: deliver(e.as_kept, e.idempotency_key, server, window, SPOOL_ATTEMPTS, said),
                window,
                entry.digest,
                lock_window=Window(window.left / 2),
            )
            _tell_flush(older)
            if older.left:
                reason = f"older ones of its target wait in the spool: {older.reason}"
                carried.append(Verdict(PromoteResult("unavailable", reason=reason)))
                return
        request = entry.request if spool is None else entry.as_new
        carried.append(deliver(request, entry.idempotency_key, server, window, said=said))
        if spool is not None and carried[0].settled:
            _tell_flush(self._flush(spool, window, lock_window=Window(0)))

    def _flush(self, spool: Spool, window: Window, lock_window: Optional[Window] = None) -> FlushResult:
        server = server_from(self._url, self._token)
        return spool.flush(
            lambda e: deliver(e.as_kept, e.idempotency_key, server, window, SPOOL_ATTEMPTS),
            window,
            lock_window=lock_window,
        )

    def _ask(
        self, promotion_id: str, window: Window, long_poll: bool = False
    ) -> tuple[Progress, bool, float]:
        """How it stands; whether asking again is in vain; seconds that the relay asks to be left alone."""
        wait = int(min(LONG_POLL_SECONDS, window.left)) if long_poll else 0
        path = f"/v1/promotions/{quote(promotion_id, safe='')}" + (f"?wait={wait}" if wait else "")
        # More than it was asked to wait; a relay that never answers is asked anew.
        once = Window(min(window.left, wait + 10.0))
        try:
            answered = once.run(lambda: _answer_to(self._url, self._token, path, once))
        except (Unset, NoAnswer) as error:
            return Progress(promotion_id, reason=str(error)), isinstance(error, Unset), 0.0
        except Exception as error:
            return Progress(promotion_id, reason=f"unexpected {type(error).__name__}"), False, 0.0
        if answered is None:
            return Progress(promotion_id, reason="the relay did not answer in time"), False, 0.0
        answer, hidden = answered
        state = answer.body.get("state")
        if answer.status == 200 and isinstance(state, str):
            run = answer.body.get("run")
            url = run.get("url") if isinstance(run, dict) else None
            reason = answer.body.get("reason")
            progress = Progress(
                promotion_id,
                hidden(state),
                hidden(reason) if isinstance(reason, str) else "",
                hidden(url) if isinstance(url, str) else None,
                answer.body,
            )
            return progress, False, 0.0
        title = answer.body.get("title")
        words = f"the relay answered {answer.status} {title if isinstance(title, str) else ''}".strip()
        final = answer.status in (401, 403) or (answer.is_problem and answer.status in (400, 404))
        return Progress(promotion_id, reason=hidden(words)), final, answer.retry_after or 0.0


def _answer_to(url: Optional[str], token: Optional[Secret], path: str, window: Window) -> Any:
    server = server_from(url, token)
    try:
        return exchange(server, window, "GET", path), server.token.hidden_in
    except NoAnswer as none:
        raise NoAnswer(f"the relay at {server.shown} can't be reached: {none}") from None


def _spooled(entry: Entry, spool: Spool, window: Window, undelivered: PromoteResult) -> PromoteResult:
    def write() -> bool:
        spool.write(entry, window)
        return True

    why = undelivered.reason
    try:
        try:
            written = window.run(write)
        except RuntimeError:
            # No thread to be had: a disk seldom hangs.
            written = write()
    except TooLate:
        written = None
    except OSError as error:
        return replace(undelivered, reason=f"{why}; and it can't be spooled: {fault_of(error)}")
    if not written:
        return replace(undelivered, reason=f"{why}; and the spool's disk did not answer in time")
    return PromoteResult("spooled", entry.id, reason=why)


def _seconds(timeout: object) -> float:
    """:raises Invalid: where it is no time."""
    good = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if not good or not math.isfinite(timeout) or timeout <= 0:  # type: ignore[arg-type, operator]
        raise Invalid([Problem("timeout", "must be a number of seconds above 0")])
    return float(timeout)  # type: ignore[arg-type]


def _id(promotion_id: object) -> str:
    """:raises Invalid: where no promotion can have it."""
    if not isinstance(promotion_id, str) or not promotion_id.isascii() or not 0 < len(promotion_id) <= 100:
        raise Invalid([Problem("promotion_id", "must be the id of a promotion")])
    return promotion_id


def _words_of(invalid: Invalid) -> str:
    return "; ".join(f"{problem.field} {problem.problem}" for problem in invalid.problems)


def _tell(model: object, version: object, result: PromoteResult) -> None:
    level = logging.INFO if result.status in ("accepted", "duplicate") else logging.WARNING
    problems = "".join(f"; {p.field} {p.problem}" for p in result.problems)
    try:
        what = f"{model!r} {version!r}"[:200]
    except Exception:
        what = "a promotion"
    log.log(
        level, "Promotion of %s: %s %s %s%s", what, result.status, result.id or "", result.reason, problems
    )


def _tell_flush(flushed: FlushResult) -> None:
    for result in flushed.delivered:
        log.info("Delivered from the spool: %s %s %s", result.status, result.id, result.reason)
    for result in flushed.refused:
        log.error("The relay refuses a spooled promotion, kept as *.refused: %s %s", result.id, result.reason)
    for words in flushed.bad:
        log.error("A file in the spool holds no promotion, kept as %s", words)
    if flushed.left or flushed.reason:
        log.warning("%d promotions wait in the spool: %s", flushed.left, flushed.reason)
