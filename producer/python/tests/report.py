"""Leaves the figures of a run in a file, as the other lanes of the project do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--report", metavar="FILE", help="leave the figures there, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    file = config.getoption("--report")
    if file:
        config.pluginmanager.register(_Report(Path(file)))


class _Report:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._status: dict[str, str] = {}
        self._why: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Setup and teardown count where they fail or skip.
        if report.when == "call" or report.outcome != "passed":
            self._status[report.nodeid] = report.outcome
            self._why[report.nodeid] = report.longreprtext[-2000:] if report.failed else ""

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        tests: list[dict[str, Any]] = [
            {"fullName": name, "status": status, "failureMessages": [self._why[name]]}
            for name, status in sorted(self._status.items())
        ]
        result = {"success": exitstatus == 0, "testResults": [{"name": "python", "assertionResults": tests}]}
        self._file.write_text(json.dumps(result))
