"""What each answer is taken for, whoever gives it."""

from __future__ import annotations

import logging
import ssl

import pytest
import trustme

from promotion_relay import Relay, promote
from promotion_relay.exchange import ANSWER_LIMIT_BYTES

from .servers import ID, Behaviour, accepted, answer, problem, says, serving

TOKEN = "a-token.of-the-tests_0001"
HTML = b"<html><h1>Bad Gateway</h1></html>"


@pytest.mark.parametrize(
    ("behaviour", "status", "state"),
    [
        (accepted(), "accepted", "accepted"),
        (accepted(state="superseded"), "superseded", "superseded"),
        (accepted(status="duplicate", state="deployed"), "duplicate", "deployed"),
        (accepted(status="duplicate", state="failed"), "duplicate", "failed"),
        (accepted(state="skipped"), "skipped", "skipped"),
        (problem(401, "A valid bearer token is needed"), "unauthorized", None),
        (answer(403, HTML, kind="text/html"), "unauthorized", None),
        (problem(400, "Not valid", errors=[{"field": "version", "problem": "is missing"}]), "invalid", None),
        (problem(413, "The body must be at most 64 KiB"), "invalid", None),
        (problem(422, "The Idempotency-Key was used for another promotion"), "key_reused", None),
        # Whoever stands between: nothing is known of the promotion.
        (answer(400, HTML, kind="text/html"), "unavailable", None),
        (answer(404, HTML, kind="text/html"), "unavailable", None),
        (problem(404, "No such address"), "unavailable", None),
        (answer(422, {"detail": "of another program"}), "unavailable", None),
        (answer(200, {"id": ID, "status": "accepted"}), "unavailable", None),
        (answer(302, b"", {"Location": "http://127.0.0.1:1/"}), "unavailable", None),
        (answer(500, HTML, kind="text/html"), "unavailable", None),
        (problem(503, "The relay can not reach its ledger now"), "unavailable", None),
        # Garbage.
        (answer(202, b"{"), "unavailable", None),
        (answer(202, b"[]"), "unavailable", None),
        (answer(202, {"id": 7}), "unavailable", None),
        (answer(202, b"[" * 100_000), "unavailable", None),
        (answer(202, b"9" * 10_000), "unavailable", None),
        (answer(202, b"\xff\xfe"), "unavailable", None),
        (answer(202, b'{"id": "' + b"x" * ANSWER_LIMIT_BYTES + b'"}'), "unavailable", None),
        (says(b"SSH-2.0-OpenSSH\r\n"), "unavailable", None),
        (says(b"HTTP/1.1 202 Accepted\r\n" + b"X: y\r\n" * 1000 + b"\r\n"), "unavailable", None),
        (says(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "unavailable", None),
        (says(b"HTTP/1.1 202 Accepted\r\nContent-Length: 500\r\n\r\n{"), "unavailable", None),
        (says(b""), "unavailable", None),
    ],
)
def test_an_answer_is_read_by_the_table(behaviour: Behaviour, status: str, state: str) -> None:
    with serving(behaviour) as server:
        result = promote("m", "1", url=server.url, token=TOKEN, timeout=0.4, idempotency_key="a-key")
    assert (result.status, result.state) == (status, state)
    assert result.reason or status in ("accepted", "duplicate")


def test_a_duplicate_of_one_that_failed_says_how_to_promote_it_again() -> None:
    with serving(accepted(status="duplicate", state="failed")) as server:
        result = promote("m", "1", url=server.url, token=TOKEN, idempotency_key="a-key")
    assert "another key promotes it again" in result.reason


def test_the_token_goes_to_no_other_address() -> None:
    with (
        serving(accepted()) as other,
        serving(answer(307, b"", {"Location": f"{other.url}/v1/promotions"})) as server,
    ):
        result = promote("m", "1", url=server.url, token=TOKEN)
    assert result.status == "unavailable"
    assert "307" in result.reason
    assert (server.connections, other.connections) == (1, 0)


def test_the_token_is_shown_by_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echoing = problem(400, f"Bearer {TOKEN}", errors=[{"field": TOKEN, "problem": f"is {TOKEN}"}])
    echoing_id = answer(202, {"id": TOKEN, "status": "accepted", "state": TOKEN})
    with serving(echoing, echoing_id) as server:
        relay = Relay(server.url, TOKEN, timeout=0.5)
        refused = relay.promote("m", "1")
        taken = relay.promote("m", "1")
    assert refused.status == "invalid"
    assert taken.status == "accepted"
    shown = f"{refused!r} {taken!r} {relay!r} {vars(relay)!r} {caplog.text}"
    assert "[secret]" in shown
    assert TOKEN not in shown


@pytest.mark.parametrize("token", ["two words", "line\r\nX-Injected: yes", "schlüssel", "\x00"])
def test_a_token_that_no_header_can_hold_is_not_sent_and_not_shown(
    token: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(accepted()) as server:
        result = promote("m", "1", url=server.url, token=token)
    assert result.status == "unauthorized"
    assert server.connections == 0
    assert token not in f"{result!r} {caplog.text}"


@pytest.mark.parametrize(
    "url",
    ["", "relay:8080", "ftp://relay", "file:///etc/passwd", "http://", "http://u:p@relay", "http://r:99999"],
)
def test_an_address_that_is_none_is_told(url: str) -> None:
    result = promote("m", "1", url=url, token=TOKEN)
    assert result.status == "unavailable"
    assert "RELAY_URL" in result.reason
    assert "u:p" not in result.reason


def test_an_address_may_have_a_path() -> None:
    with serving(accepted()) as server:
        assert promote("m", "1", url=f"{server.url}/relay/", token=TOKEN).ok
    assert server.requests[0].line == "POST /relay/v1/promotions HTTP/1.1"


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(accepted()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert promote("m", "1", url="http://relay.invalid", token=TOKEN).ok
    assert proxy.requests[0].line == "POST http://relay.invalid/v1/promotions HTTP/1.1"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_it_speaks_tls_with_whom_the_environment_trusts(
    tls: ssl.SSLContext, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    with authority.cert_pem.tempfile() as file, serving(accepted(), tls=tls) as server:
        monkeypatch.setenv("SSL_CERT_FILE", file)
        assert promote("m", "1", url=server.url, token=TOKEN).status == "accepted"


def test_a_certificate_that_nobody_vouches_for_gets_no_token(tls: ssl.SSLContext) -> None:
    with serving(accepted(), tls=tls) as server:
        result = promote("m", "1", url=server.url, token=TOKEN, timeout=0.5)
    assert result.status == "unavailable"
    assert "certificate" in result.reason
    assert server.requests == []


def test_a_server_without_tls_is_told() -> None:
    with serving(says(b"")) as server:
        result = promote("m", "1", url=server.url.replace("http", "https"), token=TOKEN, timeout=0.5)
    assert result.status == "unavailable"
