"""A promotion on its way, and how it is written into a spool (docs/SPOOL.md)."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Optional

from .request import BODY_LIMIT_BYTES, Invalid, Request, checked_key, target_of
from .uuid7 import uuid7

SCHEMA = 1
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z")
NAME = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}-[0-9a-f]{16}\.json")
_ID_LENGTH = 36
# A request and what stands around it.
FILE_LIMIT_BYTES = BODY_LIMIT_BYTES + 4096


class NotAnEntry(Exception):
    """A file holds no promotion; the message says why."""


class TooNew(Exception):
    """A later version of this package wrote it, and can read it."""


@dataclass(frozen=True)
class Entry:
    id: str
    """UUIDv7: sorts by time."""
    created_at: str
    """When it was promoted, ISO 8601 in UTC."""
    request: Request
    idempotency_key: Optional[str]

    @property
    def digest(self) -> str:
        return digest_of(target_of(self.request))

    @property
    def as_new(self) -> Request:
        """The body of whoever will spool it if need be: an answer that is lost makes no second promotion."""
        return {**self.request, "id": self.id}

    @property
    def as_kept(self) -> Request:
        """The body of whoever delivers it later: superseded where something newer was accepted meanwhile."""
        return {**self.as_new, "promotedAt": self.created_at}

    @property
    def file_name(self) -> str:
        return f"{self.id}-{self.digest}.json"

    def written(self) -> bytes:
        document = {
            "schema": SCHEMA,
            "id": self.id,
            "createdAt": self.created_at,
            "idempotencyKey": self.idempotency_key,
            "request": self.request,
        }
        return f"{json.dumps(document, indent=1)}\n".encode()


def new_entry(request: Request, idempotency_key: Optional[str]) -> Entry:
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Entry(uuid7(), now, request, idempotency_key)


def digest_of(target: str) -> str:
    return hashlib.sha256(target.encode()).hexdigest()[:16]


def digest_in(file_name: str) -> str:
    return file_name[_ID_LENGTH + 1 : _ID_LENGTH + 17]


def entry_in(file_name: str, text: bytes) -> Entry:
    """
    :raises NotAnEntry: torn, or of somebody else.
    :raises TooNew: of a schema that is not known here.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise NotAnEntry("it is not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("schema"), int):
        raise NotAnEntry("it says no schema")
    if document["schema"] > SCHEMA:
        raise TooNew(f"its schema is {document['schema']}, and {SCHEMA} is known here")
    key, request, created_at = (document.get(name) for name in ("idempotencyKey", "request", "createdAt"))
    names = ("model", "version", "environment")
    if (
        not isinstance(request, dict)
        or not all(isinstance(request.get(name), str) for name in names)
        or not isinstance(created_at, str)
        or not _TIME.fullmatch(created_at)
    ):
        raise NotAnEntry("it has not the fields of a promotion")
    try:
        entry = Entry(str(document.get("id")), created_at, request, None if key is None else checked_key(key))
        named_well = entry.file_name == file_name
    except Invalid:
        raise NotAnEntry("its idempotency key can't be sent") from None
    except ValueError:
        named_well = False
    if not named_well:
        raise NotAnEntry("its name is not the one that its content has")
    return entry
