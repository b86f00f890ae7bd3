"""`python -m promotion_relay promote|flush|get`, with the exit codes of the command line `promotion-relay`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any, Optional

from . import Relay

EXIT = {"invalid": 2, "key_reused": 2, "unauthorized": 3, "unavailable": 3, "skipped": 1}


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m promotion_relay",
        description="Settings: RELAY_URL, RELAY_API_TOKEN or RELAY_API_TOKEN_FILE, SPOOL_DIR.",
        epilog="Exit codes: 0 done (spooled, too); 1 it ended otherwise; 2 wrong input; 3 relay not reached.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    promote = commands.add_parser("promote", help="promotes a model version")
    promote.add_argument("--model", required=True)
    promote.add_argument("--version", required=True)
    promote.add_argument("--accuracy", type=float)
    promote.add_argument("--environment", default="production")
    promote.add_argument("--source")
    promote.add_argument("--rollback", action="store_true")
    promote.add_argument("--idempotency-key")
    commands.add_parser("flush", help="delivers what the spool holds")
    get = commands.add_parser("get", help="shows how a promotion stands")
    get.add_argument("id")
    given = vars(parser.parse_args(arguments))

    command, relay = given.pop("command"), Relay()
    if command == "promote":
        promoted = relay.promote(**given)
        _print(promoted)
        return EXIT.get(promoted.status, 0)
    if command == "flush":
        flushed = relay.flush()
        _print(flushed)
        return 0 if flushed.ok else 3 if flushed.left or flushed.reason else 1
    progress = relay.get(given["id"])
    _print(progress)
    return 3 if progress.state is None else 0


def _print(result: Any) -> None:
    print(json.dumps(dataclasses.asdict(result), indent=1))


if __name__ == "__main__":
    sys.exit(main())
