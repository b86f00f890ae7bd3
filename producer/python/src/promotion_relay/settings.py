"""
Where the relay is and who calls it: from arguments, else from `RELAY_URL`, `RELAY_API_TOKEN` or
`RELAY_API_TOKEN_FILE`, `SPOOL_DIR`. Read at each call, so that a token that is replaced is taken up.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Optional, Union
from urllib.parse import urlsplit

from .request import Invalid
from .result import Problem


class Secret:
    """Text that shows itself to nobody by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def hidden_in(self, text: str) -> str:
        """`text` without it."""
        return text.replace(self._text, "[secret]") if self._text else text

    def __repr__(self) -> str:
        return "[secret]"


@dataclass(frozen=True)
class Server:
    base: str
    """Address without a slash at its end."""
    token: Secret

    @property
    def shown(self) -> str:
        parts = urlsplit(self.base)
        return f"{parts.scheme}://{parts.netloc}"


class Unset(Exception):
    """A setting is missing or unusable; the message says which, never its value."""

    def __init__(self, words: str, *, of_token: bool = False) -> None:
        super().__init__(words)
        self.of_token = of_token


def server_from(url: Optional[str], token: Optional[Secret]) -> Server:
    """:raises Unset: what is missing or wrong. May read a file: belongs into a `Window`."""
    return Server(_address(url), _token(token))


def spool_dir_from(given: Optional[Union[str, os.PathLike[str]]]) -> Optional[str]:
    """:raises Invalid: where it is no path."""
    if given is not None and not isinstance(given, (str, os.PathLike)):
        raise Invalid([Problem("spool_dir", "must be a path")])
    directory = os.fspath(given) if given is not None else ""
    return directory or os.environ.get("SPOOL_DIR") or None


def _address(given: Optional[str]) -> str:
    url = given or os.environ.get("RELAY_URL")
    if not url:
        raise Unset("RELAY_URL is not set: the relay's address, such as http://relay:8080")
    try:
        parts = urlsplit(url)
        good = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and (parts.port or 1) > 0
            and parts.username is None
            and parts.password is None
            and not parts.query
            and not parts.fragment
            and url.isascii()
            and url.isprintable()
            and " " not in url
        )
    except (ValueError, AttributeError, TypeError):
        good = False
    if not good:
        raise Unset("RELAY_URL must be an address such as http://relay:8080, with no log-in in it")
    return url.rstrip("/")


def _token(given: Optional[Secret]) -> Secret:
    text = given.reveal() if given is not None else ""
    name = "the token"
    if not text:
        name = "RELAY_API_TOKEN"
        text = os.environ.get(name, "")
    if not text:
        name = "RELAY_API_TOKEN_FILE"
        path = os.environ.get(name)
        if not path:
            raise Unset("RELAY_API_TOKEN is not set: the token that the relay asks for", of_token=True)
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read(4096)
        except (OSError, ValueError) as error:
            raise Unset(f"{name} can't be read ({type(error).__name__})", of_token=True) from None
        text = text.rstrip("\r\n")
    # In a header anything else would end it, or be shown by whoever refuses it.
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise Unset(
            f"{name} holds what no token can: blanks, line ends or letters beyond ASCII", of_token=True
        )
    return Secret(text)
