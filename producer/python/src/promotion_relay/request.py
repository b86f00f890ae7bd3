"""
What is promoted, as the relay's API takes it. Only what can't be written as a request is refused here; the rules of
names and figures are the relay's, and it names every wrong field.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Mapping
from typing import Any, SupportsFloat, Union

from .result import Problem

BODY_LIMIT_BYTES = 64 * 1024
KEY_LIMIT = 255

Request = Mapping[str, Any]


class Invalid(Exception):
    """Carries every problem."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("not a valid promotion")
        self.problems = tuple(problems)


def request_of(
    *,
    model: object,
    version: object,
    accuracy: object,
    environment: object,
    metrics: object,
    source: object,
    rollback: object,
) -> Request:
    """:raises Invalid: with every problem."""
    problems: list[Problem] = []

    def take(field: str, value: object, read: Any) -> Any:
        try:
            return read(value)
        except (TypeError, ValueError, OverflowError) as error:
            problems.append(Problem(field, str(error)))
            return None

    request: dict[str, Any] = {
        "model": take("model", model, _text),
        "version": take("version", version, _version),
        "environment": take("environment", environment, _text),
    }
    if accuracy is not None:
        request["accuracy"] = take("accuracy", accuracy, _figure)
    if metrics is not None:
        if isinstance(metrics, Mapping):
            request["metrics"] = {
                take("metrics", name, _text): take(f"metrics.{str(name)[:60]}", figure, _figure)
                for name, figure in metrics.items()
            }
        else:
            problems.append(Problem("metrics", "must be a mapping of names to figures"))
    if source is not None:
        request["source"] = take("source", source, _text)
    if not isinstance(rollback, bool):
        problems.append(Problem("rollback", "must be True or False"))
    elif rollback:
        request["rollback"] = True
    if not problems and len(json.dumps(request)) > BODY_LIMIT_BYTES:
        problems.append(Problem("", f"must be at most {BODY_LIMIT_BYTES // 1024} KiB"))
    if problems:
        raise Invalid(problems)
    return request


def checked_key(key: object) -> str:
    """:raises Invalid: where it can't be sent as a header."""
    if not isinstance(key, str):
        raise Invalid([Problem("idempotency_key", "must be text")])
    if len(key) > KEY_LIMIT or not key.isascii() or not key.isprintable() or key != key.strip():
        words = f"must be at most {KEY_LIMIT} printable ASCII characters, with no space around them"
        raise Invalid([Problem("idempotency_key", words)])
    return key


def target_of(request: Request) -> str:
    """A model in an environment, as the ledger writes it."""
    return f"{request['environment']}/{request['model']}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("must be text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must be well-formed text") from None
    return value


def _version(value: Union[object, str]) -> str:
    if isinstance(value, str):
        return _text(value)
    words = "must be text, or a whole number"
    if isinstance(value, bool):
        raise TypeError(words)
    try:
        # Also a numpy integer.
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(words) from None
    if number < 0:
        raise ValueError(words)
    return str(number)


def _figure(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, SupportsFloat):
        raise TypeError("must be a number")
    # Also a figure of numpy or torch.
    try:
        number = float(value)
    except Exception:
        raise TypeError("must be a number") from None
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    return number
