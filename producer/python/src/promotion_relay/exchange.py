"""
One exchange with the relay, by the standard library. Proxies and certificates as everywhere in Python (`HTTPS_PROXY`,
`NO_PROXY`, `SSL_CERT_FILE`). No redirect is followed: the token goes to the address it was given for and to no other.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Callable, Optional

from .request import Request
from .settings import Server
from .window import Window

ANSWER_LIMIT_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    status: int
    body: Mapping[str, Any]
    """Empty where it is no JSON object."""
    is_problem: bool
    """`application/problem+json`: the relay's own refusal, and not that of a proxy before it."""
    retry_after: Optional[float]
    """Seconds."""


class NoAnswer(Exception):
    """The message says why, and holds nothing that was sent."""


def exchange(
    server: Server,
    window: Window,
    method: str,
    path: str,
    body: Optional[Request] = None,
    idempotency_key: Optional[str] = None,
) -> Answer:
    """:raises NoAnswer: when there is none, or none that can be read."""
    headers = {
        "Accept": "application/json",
        "Authorization": f"Bearer {server.token.reveal()}",
        "User-Agent": _USER_AGENT,
    }
    data = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode()
    if idempotency_key is not None:
        headers["Idempotency-Key"] = idempotency_key
    request = urllib.request.Request(server.base + path, data, headers, method=method)  # noqa: S310
    try:
        with _opener(window).open(request, timeout=max(0.001, window.left)) as response:
            text = response.read(ANSWER_LIMIT_BYTES + 1)
            status, answered = response.status, response.headers
    except Exception as error:
        # What was hung up on when the time was over fails in many ways.
        fault = TimeoutError() if window.over else error
        raise NoAnswer(_words_for(fault)) from None
    if len(text) > ANSWER_LIMIT_BYTES:
        raise NoAnswer(f"it answered {status} with more than {ANSWER_LIMIT_BYTES // 1024} KiB")
    body_read = _object_in(text)
    if window.over and not body_read:
        raise NoAnswer(_words_for(TimeoutError()))
    return Answer(
        status,
        body_read,
        answered.get_content_type() == "application/problem+json",
        _seconds(answered.get("Retry-After")),
    )


def _opener(window: Window) -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler(), urllib.request.UnknownHandler()):
        opener.add_handler(handler)
    opener.add_handler(_Http(window))
    opener.add_handler(_Https(window))
    return opener


class _Http(urllib.request.HTTPHandler):
    def __init__(self, window: Window) -> None:
        super().__init__()
        self._window = window

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_connecting(http.client.HTTPConnection, self._window), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, window: Window) -> None:
        super().__init__()
        self._window = window

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        connect = _connecting(http.client.HTTPSConnection, self._window)
        return self.do_open(connect, req, context=ssl.create_default_context())


def _connecting(kind: type[http.client.HTTPConnection], window: Window) -> Callable[..., Any]:
    """A connection that the window ends, and that sends nothing once it is over."""

    class Connection(kind):  # type: ignore[misc, valid-type]
        def connect(self) -> None:
            held: Optional[socket.socket] = None

            def hang_up() -> None:
                line = held or self.sock
                if line is not None:
                    # Past SSLSocket's own, which is not made for being called by another thread.
                    with contextlib.suppress(OSError):
                        socket.socket.shutdown(line, socket.SHUT_RDWR)

            window.hang_up_with(hang_up)
            super().connect()
            # urllib lets go of it while the answer is still being read.
            held = self.sock
            if window.over:
                self.close()
                raise TimeoutError

    return Connection


def _object_in(text: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _seconds(text: Optional[str]) -> Optional[float]:
    # As a date it may come too; no relay sends it so.
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None


def _words_for(error: object) -> str:
    """By its kind alone: the text of an exception may hold what was sent."""
    if isinstance(error, urllib.error.URLError):
        return _words_for(error.reason)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)):
        return "it hung up without an answer"
    if isinstance(error, socket.gaierror):
        return "its name can't be resolved"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate can't be trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'no reason given'}"
    if isinstance(error, (http.client.HTTPException, ValueError)):
        return "it does not answer as an HTTP server does"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno) if error.errno in errno.errorcode else f"fault {error.errno}"
    return f"fault {type(error).__name__}"


def _own_version() -> str:
    try:
        return version("promotion-relay")
    except PackageNotFoundError:
        return "0"


_USER_AGENT = f"promotion-relay-python/{_own_version()}"
