"""The relay as a real process: `up` with a Redis and a simulated GitHub of its own, on a directory of the tests'."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

from .until import until

CHECKOUT = Path(__file__).resolve().parents[3]
NODE = CHECKOUT / "node_modules" / ".bin" / "node"
READY = "It runs until"
T = TypeVar("T")


@dataclass(frozen=True)
class Up:
    url: str
    simulator_url: str
    token: str

    def call(self, path: str) -> Any:
        return _json("GET", self.url + path, headers={"Authorization": f"Bearer {self.token}"})

    def post(self, path: str, body: object) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        return _json("POST", self.url + path, body, headers)

    def simulator(self, method: str, verb: str, body: Optional[object] = None) -> Any:
        return _json(method, f"{self.simulator_url}/_simulator/{verb}", body)

    def runs_of(self, model: str) -> list[dict[str, Any]]:
        """Inputs of the runs that GitHub was made to start: the judge of 'once'."""
        runs = self.simulator("GET", "runs")
        return [run["inputs"] for run in runs if run["inputs"]["model_name"] == model]

    def promotions_of(self, model: str) -> list[dict[str, Any]]:
        """In the order in which they were accepted."""
        found = [one for one in self.call("/v1/promotions")["promotions"] if one["model"] == model]
        return sorted(found, key=lambda one: int(one["seq"]))


@contextmanager
def up(data_dir: Path, env: Optional[dict[str, str]] = None) -> Iterator[Up]:
    """Its processes are gone with it: `up` ends its Redis and simulator when it is asked to end."""
    assert NODE.exists(), f"{NODE} is missing: npm ci brings it"
    # Nothing of the machine's settings.
    clean = {name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME") if name in os.environ}
    clean["PATH"] = f"{NODE.parent}:{os.environ.get('PATH', '')}"
    settings = {"DATA_DIR": str(data_dir), "PORT": "0", "TRACK_INTERVAL_SECONDS": "0.1", **(env or {})}
    said = data_dir.parent / "said.log"
    with said.open("w") as out:
        process = subprocess.Popen(
            [NODE, CHECKOUT / "cli.ts", "up"],
            cwd=data_dir.parent,
            env={**clean, **settings},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:

        def ready() -> bool:
            assert process.poll() is None, said.read_text()
            return READY in said.read_text()

        until("the relay to be up", ready, 60)
        relay = _up_from(said.read_text(), data_dir)
        relay.simulator("POST", "life", {"queuedMs": 50, "runMs": 150})
        yield relay
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait(5)


def _up_from(said: str, data_dir: Path) -> Up:
    def printed(name: str) -> str:
        found = re.search(rf"^  {name} +(\S+)$", said, re.MULTILINE)
        assert found, said
        return found[1]

    token = re.search(r"^RELAY_API_TOKEN=(.*)$", (data_dir / "log-ins").read_text(), re.MULTILINE)
    assert token
    return Up(printed("API").replace("/v1/promotions", ""), printed("Simulator").rstrip("/"), token[1])


_direct: Callable[..., Any] = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def _json(
    method: str, url: str, body: Optional[object] = None, headers: Optional[dict[str, str]] = None
) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with _direct(urllib.request.Request(url, data, headers or {}, method=method), timeout=10) as response:
        text = response.read()
    return json.loads(text) if text else None
