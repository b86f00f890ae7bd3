"""Never in the way: it answers in time whatever is down, and nothing is sent after that."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from promotion_relay import Relay, flush, get, promote, wait_until_live

from .servers import ID, Behaviour, accepted, drips, hangs, serving, takes_and_hangs
from .until import until

TOKEN = "a-token.of-the-tests_0001"
# What a busy machine may add.
SLACK = 0.4


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < seconds + SLACK, f"took {took:.2f} s"


def threads_of_ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "promotion-relay"]


@pytest.mark.parametrize(
    "behaviour",
    [
        hangs,
        takes_and_hangs,
        drips(b""),
        drips(b"HTTP/1.1 202 Accepted\r\nX-Head: "),
        drips(b"HTTP/1.1 202 Accepted\r\n\r\n{"),
        drips(b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["hangs", "takes and hangs", "drips", "drips a header", "drips a body", "drips after 100"],
)
def test_a_server_that_hangs_or_drips(behaviour: Behaviour) -> None:
    with serving(behaviour) as server:
        with within(0.5):
            result = promote("m", "1", url=server.url, token=TOKEN, timeout=0.5)
        assert result.status == "unavailable"
        assert "within 0.5 s" in result.reason or "no answer in time" in result.reason
        until("its thread to end", lambda: not threads_of_ours())
        with within(0.5):
            assert Relay(server.url, TOKEN, timeout=0.5).get(ID).state is None
        with within(0.5):
            assert wait_until_live(ID, 0.5, server.url, TOKEN).state is None


def test_a_server_that_hangs_in_the_handshake_of_tls() -> None:
    with serving(hangs) as server, within(0.5):
        result = promote("m", "1", url=server.url.replace("http", "https"), token=TOKEN, timeout=0.5)
    assert result.status == "unavailable"


def test_a_name_server_that_hangs_and_nothing_is_sent_once_it_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers = threading.Event()
    real = socket.getaddrinfo

    def slow(*args: Any, **more: Any) -> Any:
        assert answers.wait(20)
        return real(*args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with serving(accepted()) as server:
        with within(0.5):
            result = promote("m", "1", url=server.url, token=TOKEN, timeout=0.5)
        with within(1):
            spooled = promote("m", "1", url=server.url, token=TOKEN, timeout=1, spool_dir=tmp_path)
        assert (result.status, spooled.status) == ("unavailable", "spooled")
        answers.set()
        until("its threads to end", lambda: not threads_of_ours())
        assert server.requests == []


def test_a_token_file_that_hangs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipe = tmp_path / "token"
    os.mkfifo(pipe)
    monkeypatch.setenv("RELAY_API_TOKEN_FILE", str(pipe))
    with within(0.3):
        assert promote("m", "1", url="http://127.0.0.1:1", timeout=0.3).status == "unavailable"
    # Lets it go.
    os.close(os.open(pipe, os.O_WRONLY))
    until("its thread to end", lambda: not threads_of_ours())


def test_a_disk_that_hangs_and_nothing_is_spooled_once_it_answers(
    monkeypatch: pytest.MonkeyPatch, away: str, spool_dir: Path
) -> None:
    answers = threading.Event()
    real = os.fsync

    def slow(handle: int) -> None:
        assert answers.wait(20)
        real(handle)

    monkeypatch.setattr(os, "fsync", slow)
    with within(0.8):
        result = promote("m", "1", url=away, token=TOKEN, timeout=0.8, spool_dir=spool_dir)
    assert result.status == "unavailable"
    assert "the spool's disk did not answer in time" in result.reason
    answers.set()
    until("its thread to end", lambda: not threads_of_ours())
    assert os.listdir(spool_dir) == []


def test_a_flush_that_hangs(spool_dir: Path, away: str) -> None:
    assert promote("m", "1", url=away, token=TOKEN, timeout=1.5, spool_dir=spool_dir).status == "spooled"
    with serving(takes_and_hangs) as server:
        with within(0.5):
            flushed = flush(spool_dir, server.url, TOKEN, timeout=0.5)
        assert (flushed.ok, flushed.left) == (False, 1)
        with within(1):
            result = promote("m", "2", url=server.url, token=TOKEN, timeout=1, spool_dir=spool_dir)
        assert result.status == "spooled"


def test_a_relay_that_is_away_meanwhile_is_asked_again(away: str) -> None:
    with within(1):
        progress = wait_until_live(ID, 1, away, TOKEN)
    assert "connection refused" in progress.reason
    with within(2):
        assert get(ID, away, TOKEN).state is None


def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch, spool_dir: Path, away: str) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert promote("m", "1", url=away, token=TOKEN).status == "unavailable"
    assert promote("m", "1", url=away, token=TOKEN, spool_dir=spool_dir).status == "spooled"
    assert get(ID, away, TOKEN).state is None
    assert not flush(spool_dir, away, TOKEN).ok
