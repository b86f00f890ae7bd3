"""What a caller is told. Values, no exceptions: a training run goes on whatever they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Optional

Status = Literal[
    "accepted",
    "duplicate",
    "superseded",
    "skipped",
    "invalid",
    "key_reused",
    "unauthorized",
    "unavailable",
    "spooled",
]
"""
accepted      the relay has it, and takes it to its end
duplicate     the relay has had it before: `id` is the first one's, `state` how that stands
superseded    recorded, and gives way: something newer was promoted before it got there
skipped       recorded, and not deployed: a hold blocks this version
invalid       it can never be accepted: `problems` says why
key_reused    the idempotency key (or the id) belongs to another promotion
unauthorized  the relay does not take this token
unavailable   not known to be accepted: promoting it again is safe
spooled       on this machine's disk, delivered later (the next call, or `flush`)
"""


@dataclass(frozen=True)
class Problem:
    """One wrong field; `field` is its name ('' for the whole), `problem` what is wrong in words."""

    field: str
    problem: str


@dataclass(frozen=True)
class PromoteResult:
    status: Status
    id: Optional[str] = None
    """Of the promotion; of a spooled one, the id that it will carry."""
    state: Optional[str] = None
    """Of the promotion in the relay (`accepted`, `deployed`, …), where the relay has told it."""
    reason: str = ""
    """In words, '' where there is nothing to say."""
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """It is in good hands: nothing is left for the caller to do."""
        return self.status in ("accepted", "duplicate", "superseded", "spooled")


@dataclass(frozen=True)
class Progress:
    """How a promotion stands."""

    id: str
    state: Optional[str] = None
    """None while the relay has not told it."""
    reason: str = ""
    """What it waits for or why it ended so, in words; else why the relay did not tell."""
    run_url: Optional[str] = None
    """The CD workflow's run, once there is one."""
    promotion: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All that the relay told of it: https://HOST/v1/promotions/{id}."""

    @property
    def live(self) -> bool:
        """Its run has succeeded: the version was put live."""
        return self.state == "deployed"

    @property
    def ended(self) -> bool:
        """It goes no further by itself: at its end, or a person is needed."""
        return self.state in _STOPPED


_STOPPED = frozenset(
    ("deployed", "failed", "cancelled", "timed_out", "superseded", "skipped", "dead_lettered", "unresolved")
)


@dataclass(frozen=True)
class FlushResult:
    """What became of the spool."""

    delivered: tuple[PromoteResult, ...] = ()
    refused: tuple[PromoteResult, ...] = ()
    """The relay will never take these; their files are kept as `*.refused`."""
    bad: tuple[str, ...] = ()
    """Files that hold no promotion, kept as `*.bad`."""
    left: int = 0
    """Promotions that still wait."""
    reason: str = ""
    """Why some are left."""

    @property
    def ok(self) -> bool:
        """All were delivered."""
        return self.left == 0 and not self.refused and not self.bad and not self.reason


class PromotionError(Exception):
    """Raised with `raise_on_error` only, where the result is not `ok`."""

    def __init__(self, result: PromoteResult) -> None:
        said = "; ".join([result.reason, *(f"{p.field} {p.problem}".strip() for p in result.problems)])
        super().__init__(f"{result.status}: {said.strip('; ')}")
        self.result = result

    def __reduce__(self) -> tuple[type[PromotionError], tuple[PromoteResult]]:
        return (PromotionError, (self.result,))
