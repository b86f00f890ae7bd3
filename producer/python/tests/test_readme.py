from __future__ import annotations

import re

import pytest

from .up import CHECKOUT, Up


def test_the_lines_to_copy_promote_and_wait(
    relay: Up, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RELAY_URL", relay.url)
    monkeypatch.setenv("RELAY_API_TOKEN", relay.token)
    readme = (CHECKOUT / "producer" / "python" / "README.md").read_text()
    block = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert block
    exec(compile(block[1], "README.md", "exec"), {})
    assert capsys.readouterr().out == "True\n"
    assert [run["model_version"] for run in relay.runs_of("fraud-detector")] == ["5"]
