from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .servers import closed_port
from .up import Up, up

pytest_plugins = ["tests.report"]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own settings, proxies or runs."""
    for name in list(os.environ):
        ours = name.startswith(("RELAY_", "SPOOL_", "PREFECT__"))
        if ours or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("relay") / "data") as running:
        yield running


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def away() -> str:
    """The address of a relay that is away."""
    return f"http://127.0.0.1:{closed_port()}"


@pytest.fixture
def model(request: pytest.FixtureRequest) -> str:
    """One for each test: the relay is shared."""
    return f"model-of-{request.node.name}"[:200]
