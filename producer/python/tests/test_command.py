from __future__ import annotations

import json
from pathlib import Path

import pytest

from promotion_relay.__main__ import main

from .servers import ID
from .up import Up


@pytest.fixture
def there(relay: Up, monkeypatch: pytest.MonkeyPatch) -> Up:
    monkeypatch.setenv("RELAY_URL", relay.url)
    monkeypatch.setenv("RELAY_API_TOKEN", relay.token)
    return relay


def test_promote_get_and_flush(
    there: Up,
    model: str,
    spool_dir: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["promote", "--model", model, "--version", "1", "--accuracy", "0.5"]) == 0
    promoted = json.loads(capsys.readouterr().out)
    assert promoted["status"] == "accepted"
    assert main(["get", promoted["id"]]) == 0
    assert json.loads(capsys.readouterr().out)["promotion"]["accuracy"] == 0.5
    monkeypatch.setenv("SPOOL_DIR", str(spool_dir))
    assert main(["flush"]) == 0
    assert json.loads(capsys.readouterr().out)["left"] == 0


def test_exit_codes(
    there: Up, model: str, spool_dir: Path, away: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote = ["promote", "--model", model, "--version"]
    assert main([*promote, ""]) == 2
    assert main(["get", ID]) == 3
    assert main(["flush"]) == 3
    with pytest.raises(SystemExit) as refused:
        main(["promote"])
    assert refused.value.code == 2
    monkeypatch.setenv("RELAY_URL", away)
    assert main([*promote, "1"]) == 3
    monkeypatch.setenv("SPOOL_DIR", str(spool_dir))
    assert main([*promote, "1"]) == 0
    assert main(["flush"]) == 3
