"""Servers that misbehave, on real sockets. Each connection meets the next behaviour, the last one again and again."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

ID = "01990000-0000-7000-8000-000000000001"


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    """Names in small letters."""
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    port: int
    ended: threading.Event
    """Set when the test is over: what hangs lets go."""
    scheme: str = "http"
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    faults: list[BaseException] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


Behaviour = Callable[[socket.socket, Server], None]


@contextmanager
def serving(*behaviours: Behaviour, tls: Optional[ssl.SSLContext] = None) -> Iterator[Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener.getsockname()[1], threading.Event(), "https" if tls else "http")
    threads: list[threading.Thread] = []

    def serve(line: socket.socket, behave: Behaviour) -> None:
        try:
            with line if tls is None else tls.wrap_socket(line, server_side=True) as spoken:
                spoken.settimeout(30)
                behave(spoken, server)
        except OSError:
            pass  # the client hung up
        except BaseException as fault:
            server.faults.append(fault)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = listener.accept()
                behave = behaviours[min(server.connections, len(behaviours) - 1)]
                server.connections += 1
                thread = threading.Thread(target=serve, args=(line, behave), daemon=True)
                threads.append(thread)
                thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        server.ended.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [acceptor, *threads]:
            thread.join(10)
            assert not thread.is_alive(), "a client holds on to its connection"
        assert server.faults == []


def read_request(line: socket.socket, server: Server) -> Request:
    text = b""
    while b"\r\n\r\n" not in text:
        text += _some(line)
    head, body = text.split(b"\r\n\r\n", 1)
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, value in (one.split(":", 1) for one in rest)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _some(line)
    request = Request(first, headers, body, time.monotonic())
    server.requests.append(request)
    return request


def _some(line: socket.socket) -> bytes:
    read = line.recv(65536)
    if not read:
        raise ConnectionResetError
    return read


def answer(
    status: int,
    body: object = b"",
    headers: Optional[dict[str, str]] = None,
    kind: str = "application/json; charset=utf-8",
) -> Behaviour:
    """Reads the request, and answers it."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    text = f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + data

    def behave(line: socket.socket, server: Server) -> None:
        read_request(line, server)
        line.sendall(text)

    return behave


def problem(status: int, title: str, headers: Optional[dict[str, str]] = None, **more: object) -> Behaviour:
    body = {"type": "about:blank", "title": title, "status": status, **more}
    return answer(status, body, headers, "application/problem+json")


def accepted(promotion: str = ID, status: str = "accepted", state: str = "accepted") -> Behaviour:
    return answer(202, {"id": promotion, "status": status, "state": state, "live": None})


def says(text: bytes) -> Behaviour:
    """Reads the request, says this and hangs up."""

    def behave(line: socket.socket, server: Server) -> None:
        read_request(line, server)
        line.sendall(text)

    return behave


def hangs(line: socket.socket, server: Server) -> None:
    """Takes the connection, and says nothing."""
    server.ended.wait(30)


def takes_and_hangs(line: socket.socket, server: Server) -> None:
    read_request(line, server)
    server.ended.wait(30)


def resets(line: socket.socket, server: Server) -> None:
    read_request(line, server)
    reset(line)


def drips(head: bytes) -> Behaviour:
    """Says this, and then a byte every 50 ms for as long as somebody listens."""

    def behave(line: socket.socket, server: Server) -> None:
        read_request(line, server)
        line.sendall(head)
        while not server.ended.wait(0.05):
            line.sendall(b"x")

    return behave


def loses_the_answer(relay_url: str) -> Behaviour:
    """Hands the request on to the relay, and hangs up when that has answered."""
    host, port = relay_url.replace("http://", "").split(":")

    def behave(line: socket.socket, server: Server) -> None:
        handed_on = read_request(line, server)
        head = {**handed_on.headers, "host": f"{host}:{port}", "connection": "close"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        with socket.create_connection((host, int(port)), 10) as upstream:
            upstream.sendall(f"{handed_on.line}\r\n{lines}\r\n".encode() + handed_on.body)
            said = b""
            while True:
                some = upstream.recv(65536)
                if not some:
                    break
                said += some
        assert said.startswith(b"HTTP/1.1 202"), said
        reset(line)

    return behave


def reset(line: socket.socket) -> None:
    # Closed with a time of zero, it sends RST.
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def closed_port() -> int:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
