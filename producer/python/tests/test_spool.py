"""A relay that is away: on the disk, and delivered later, in order, once, to a real relay."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from promotion_relay import FlushResult, PromoteResult, flush, promote, wait_until_live
from promotion_relay.entry import entry_in, new_entry
from promotion_relay.spool import Spool
from promotion_relay.window import Window

from .servers import ID, accepted, answer, loses_the_answer, problem, read_request, serving
from .until import until
from .up import CHECKOUT, Up

TOKEN = "a-token.of-the-tests_0001"
# Of the processes that tests start.
PYTHON = {"PYTHONPATH": str(CHECKOUT / "producer" / "python" / "src"), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def spooled(spool_dir: Path) -> Any:
    """Promotes while the relay is away."""

    def promote_in_vain(model: str, version: str, **more: Any) -> PromoteResult:
        # No address: nothing is waited for.
        result = promote(model, version, spool_dir=spool_dir, timeout=5, **more)
        assert result.status == "spooled", result
        return result

    return promote_in_vain


def files(spool_dir: Path) -> list[str]:
    """Without the lock."""
    return sorted(name for name in os.listdir(spool_dir) if name != ".lock")


def versions_in(spool_dir: Path) -> list[str]:
    return [json.loads((spool_dir / name).read_text())["request"]["version"] for name in files(spool_dir)]


def test_what_a_relay_that_is_away_can_not_take_is_spooled(away: str, spool_dir: Path) -> None:
    began = time.monotonic()
    result = promote("m", "5", 0.9234, url=away, token=TOKEN, spool_dir=spool_dir, idempotency_key="mine")
    assert time.monotonic() - began < 2.4
    assert (result.status, result.ok, result.state) == ("spooled", True, None)
    assert "connection refused" in result.reason
    [name] = files(spool_dir)
    text = (spool_dir / name).read_text()
    assert json.loads(text) == {
        "schema": 1,
        "id": result.id,
        "createdAt": json.loads(text)["createdAt"],
        "idempotencyKey": "mine",
        "request": {"model": "m", "version": "5", "environment": "production", "accuracy": 0.9234},
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", json.loads(text)["createdAt"])
    digest = hashlib.sha256(b"production/m").hexdigest()[:16]
    assert name == f"{result.id}-{digest}.json"
    assert oct(os.stat(spool_dir / name).st_mode) == "0o100600"
    assert oct(os.stat(spool_dir).st_mode) == "0o40700"
    assert TOKEN not in text


def test_it_has_its_id_from_the_first_try_on_and_its_time_when_it_is_delivered(spool_dir: Path) -> None:
    with serving(answer(500)) as server:
        result = promote("m", "5", url=server.url, token=TOKEN, spool_dir=spool_dir, timeout=1)
    request = {"model": "m", "version": "5", "environment": "production"}
    assert len(server.requests) > 1
    assert all(one.json == {**request, "id": result.id} for one in server.requests)
    [name] = files(spool_dir)
    written = json.loads((spool_dir / name).read_text())
    assert written["request"] == request
    with serving(accepted()) as server:
        assert flush(spool_dir, server.url, TOKEN).ok
    assert server.requests[0].json == {**request, "id": result.id, "promotedAt": written["createdAt"]}


def test_its_time_is_before_the_first_try(spool_dir: Path) -> None:
    before = datetime.now(timezone.utc) - timedelta(milliseconds=1)
    with serving(answer(500)) as server:
        promote("m", "5", url=server.url, token=TOKEN, spool_dir=spool_dir, timeout=2.5)
    took = datetime.now(timezone.utc) - before
    [name] = files(spool_dir)
    created = datetime.fromisoformat(
        json.loads((spool_dir / name).read_text())["createdAt"].replace("Z", "+00:00")
    )
    # What another machine promotes while this one is tried is newer.
    assert timedelta(0) <= created - before < took / 2


def test_what_can_not_be_spooled_has_no_id_of_its_own() -> None:
    with serving(accepted()) as server:
        promote("m", "5", url=server.url, token=TOKEN)
    assert "id" not in server.requests[0].json


@pytest.mark.parametrize("refusal", [answer(500), problem(401, "no"), problem(503, "no ledger"), answer(302)])
def test_a_fault_of_the_relay_is_not_a_fault_of_the_promotion(refusal: Any, spool_dir: Path) -> None:
    with serving(refusal) as server:
        result = promote("m", "5", url=server.url, token=TOKEN, spool_dir=spool_dir, timeout=1.5)
    assert result.status == "spooled"
    assert len(files(spool_dir)) == 1


@pytest.mark.parametrize("refusal", [problem(400, "Not valid"), problem(422, "The key was used")])
def test_what_the_relay_will_never_take_is_not_spooled(refusal: Any, spool_dir: Path) -> None:
    with serving(refusal) as server:
        result = promote("m", "5", url=server.url, token=TOKEN, spool_dir=spool_dir, idempotency_key="mine")
    assert result.status in ("invalid", "key_reused")
    assert not spool_dir.exists()


def test_the_directory_may_come_from_the_environment(
    spool_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPOOL_DIR", str(spool_dir))
    assert promote("m", "1").status == "spooled"
    assert len(files(spool_dir)) == 1


def test_flush_delivers_in_order_and_once(relay: Up, spool_dir: Path, spooled: Any, model: str) -> None:
    for version in ("1", "2", "3"):
        spooled(model, version)
    flushed = flush(spool_dir, relay.url, relay.token)
    assert flushed.ok
    assert [result.status for result in flushed.delivered] == ["accepted"] * 3
    assert [one["version"] for one in relay.promotions_of(model)] == ["1", "2", "3"]
    assert files(spool_dir) == []
    assert flush(spool_dir, relay.url, relay.token) == FlushResult()


def test_the_next_promotion_delivers_first_those_of_its_target_and_then_the_others(
    relay: Up, spool_dir: Path, spooled: Any, model: str
) -> None:
    spooled(model, "1")
    spooled(f"{model}-other", "1")
    spooled(model, "2")
    result = promote(model, "3", url=relay.url, token=relay.token, spool_dir=spool_dir, timeout=5)
    assert result.status == "accepted"
    assert [one["version"] for one in relay.promotions_of(model)] == ["1", "2", "3"]
    assert [one["version"] for one in relay.promotions_of(f"{model}-other")] == ["1"]
    assert files(spool_dir) == []


def test_many_processes_at_once_make_one_promotion_of_each(
    relay: Up, spool_dir: Path, spooled: Any, model: str
) -> None:
    for number in range(12):
        spooled(f"{model}-{number % 3}", str(number))
    script = (
        "import promotion_relay as p, sys; f = p.flush(timeout=30); print(len(f.delivered)); sys.exit(f.left)"
    )
    env = {
        **PYTHON,
        "RELAY_URL": relay.url,
        "RELAY_API_TOKEN": relay.token,
        "SPOOL_DIR": str(spool_dir),
    }
    flushing = [
        subprocess.Popen([sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    delivered = [int(process.communicate(timeout=60)[0]) for process in flushing]
    assert [process.returncode for process in flushing] == [0, 0, 0, 0]
    assert sum(delivered) == 12
    for target in range(3):
        versions = [one["version"] for one in relay.promotions_of(f"{model}-{target}")]
        assert versions == [str(number) for number in range(target, 12, 3)]


def test_an_answer_that_was_lost_makes_no_second_promotion(relay: Up, spool_dir: Path, model: str) -> None:
    given: Any = {"token": relay.token, "spool_dir": spool_dir, "timeout": 3}
    with serving(loses_the_answer(relay.url)) as proxy:
        lost = promote(model, "1", url=proxy.url, rollback=True, **given)
        lost_again = flush(spool_dir, proxy.url, relay.token, timeout=3)
    assert (lost.status, lost_again.left) == ("spooled", 1)
    # Meanwhile another machine promotes, and that one goes live: going by version would take the first one anew.
    assert promote(model, "2", url=relay.url, token=relay.token).ok
    flushed = flush(spool_dir, relay.url, relay.token)
    assert [result.id for result in flushed.delivered] == [lost.id]
    assert [one["version"] for one in relay.promotions_of(model)] == ["1", "2"]


def test_what_waited_is_superseded_by_what_another_machine_promoted_meanwhile(
    relay: Up, spool_dir: Path, spooled: Any, model: str
) -> None:
    older = spooled(model, "1")
    newer = promote(model, "2", url=relay.url, token=relay.token)
    assert newer.id is not None
    assert wait_until_live(newer.id, 30, relay.url, relay.token).live
    flushed = flush(spool_dir, relay.url, relay.token)
    [result] = flushed.delivered
    assert (result.status, result.ok, result.id) == ("superseded", True, older.id)
    assert "something newer was promoted" in result.reason
    assert (flushed.ok, files(spool_dir)) == (True, [])
    assert [run["model_version"] for run in relay.runs_of(model)] == ["2"]


def test_what_waited_is_skipped_where_its_version_was_rolled_back_from(
    relay: Up, spool_dir: Path, spooled: Any, model: str
) -> None:
    for version in ("1", "2"):
        promoted = promote(model, version, url=relay.url, token=relay.token)
        assert promoted.id is not None
        assert wait_until_live(promoted.id, 30, relay.url, relay.token).live
    relay.post("/v1/targets/rollback", {"model": model, "environment": "production", "by": "a test"})
    spooled(model, "2", idempotency_key=f"{model}-again")
    [result] = flush(spool_dir, relay.url, relay.token).delivered
    assert (result.status, result.ok) == ("skipped", False)
    assert files(spool_dir) == []


def test_an_id_that_belongs_to_another_promotion_is_refused_for_good(
    relay: Up, spool_dir: Path, spooled: Any, model: str
) -> None:
    taken = spooled(model, "1")
    [name] = files(spool_dir)
    text = (spool_dir / name).read_text()
    assert flush(spool_dir, relay.url, relay.token).ok
    (spool_dir / name).write_text(text.replace('"version": "1"', '"version": "2"'))
    flushed = flush(spool_dir, relay.url, relay.token)
    assert [(one.id, one.status) for one in flushed.refused] == [(taken.id, "key_reused")]


def test_a_target_stops_at_its_first_failure_and_another_goes_on(spool_dir: Path, spooled: Any) -> None:
    for model in ("stuck", "other", "stuck"):
        spooled(model, str(len(files(spool_dir)) if spool_dir.exists() else 0))

    def picky(line: Any, server: Any) -> None:
        request = read_request(line, server)
        status = b"500 Oops" if request.json["model"] == "stuck" else b"202 Accepted"
        body = json.dumps({"id": ID, "status": "accepted", "state": "accepted"}).encode()
        line.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))

    with serving(picky) as server:
        flushed = flush(spool_dir, server.url, TOKEN, timeout=10)
    assert (len(flushed.delivered), flushed.left) == (1, 2)
    assert "500" in flushed.reason
    assert versions_in(spool_dir) == ["0", "2"]
    asked = [(request.json["model"], request.json["version"]) for request in server.requests]
    assert asked == [("stuck", "0")] * 3 + [("other", "1")]


def test_a_relay_that_is_away_is_asked_for_one_target_alone(spool_dir: Path, spooled: Any) -> None:
    for number in range(5):
        spooled(f"model-{number}", "1")
    with serving(problem(503, "no ledger")) as server:
        flushed = flush(spool_dir, server.url, TOKEN, timeout=10)
    assert (flushed.left, server.connections) == (5, 3)


def test_a_newer_version_never_overtakes_one_that_waits(spool_dir: Path, spooled: Any) -> None:
    spooled("m", "1")
    with serving(answer(500)) as server:
        result = promote("m", "2", url=server.url, token=TOKEN, spool_dir=spool_dir)
    assert result.status == "spooled"
    assert "older ones of its target wait" in result.reason
    assert {request.json["version"] for request in server.requests} == {"1"}
    assert versions_in(spool_dir) == ["1", "2"]


def test_while_another_process_delivers_a_newer_one_waits_behind(
    spool_dir: Path, spooled: Any, relay: Up, model: str
) -> None:
    spooled(model, "1")
    with (spool_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = promote(model, "2", url=relay.url, token=relay.token, spool_dir=spool_dir)
        assert (result.status, versions_in(spool_dir)) == ("spooled", ["1", "2"])
        assert "another process is delivering" in result.reason
        # One of another target has no reason to wait.
        other = promote(f"{model}-b", "2", url=relay.url, token=relay.token, spool_dir=spool_dir, timeout=5)
        assert other.status == "accepted"
    assert flush(spool_dir, relay.url, relay.token).ok
    assert [one["version"] for one in relay.promotions_of(model)] == ["1", "2"]


def test_what_the_relay_refuses_is_put_aside_and_told(
    relay: Up, spool_dir: Path, spooled: Any, model: str
) -> None:
    refused = spooled(model, "1", accuracy=7)
    spooled(model, "2")
    flushed = flush(spool_dir, relay.url, relay.token)
    assert [(r.id, r.problems[0].field) for r in flushed.refused] == [(refused.id, "accuracy")]
    assert (len(flushed.delivered), flushed.left, flushed.ok) == (1, 0, False)
    [name] = files(spool_dir)
    assert re.fullmatch(rf"{refused.id}-[0-9a-f]{{16}}\.json\.refused", name)
    assert flush(spool_dir, relay.url, relay.token).ok


def test_torn_and_alien_files_are_put_aside_and_keep_nothing_back(spool_dir: Path, spooled: Any) -> None:
    whole = spooled("m", "1")
    [name] = files(spool_dir)
    text = (spool_dir / name).read_text()
    digest = name[37:53]

    def as_id(last: int) -> str:
        return f"01990000-0000-7000-8000-00000000000{last}"

    (spool_dir / f"{as_id(1)}-{digest}.json").write_text(text[: len(text) // 2])
    (spool_dir / f"{as_id(2)}-{digest}.json").write_text("")
    (spool_dir / f"{as_id(3)}-{digest}.json").write_text(text)  # of another id
    (spool_dir / f"{as_id(4)}-{'0' * 16}.json").write_text(
        text.replace(whole.id, as_id(4))
    )  # of another target
    (spool_dir / f"{as_id(5)}-{digest}.json").write_bytes(b"\0" * 4096)
    (spool_dir / f"{as_id(6)}-{digest}.json").write_text("[" * 50_000)
    (spool_dir / f"{as_id(7)}-{digest}.json").write_text("x" * 200_000)
    (spool_dir / f"{as_id(8)}-{digest}.json").mkdir()
    (spool_dir / f"{as_id(9)}-{digest}.json").symlink_to(spool_dir / name)
    os.mkfifo(spool_dir / "pipe.json")
    (spool_dir / f"{as_id(0)}-{digest}.json").write_text(
        re.sub(r'"createdAt": "[^"]*"', '"createdAt": "yesterday"', text.replace(whole.id, as_id(0)))
    )
    (spool_dir / "package.json").write_text("{}")
    (spool_dir / "notes.txt").write_text("nobody's")
    with serving(accepted()) as server:
        flushed = flush(spool_dir, server.url, TOKEN)
    assert (len(flushed.delivered), len(flushed.bad), flushed.left) == (1, 12, 0)
    left = files(spool_dir)
    assert len([one for one in left if one.endswith(".json.bad")]) == 12
    assert [one for one in left if not one.endswith(".bad")] == ["notes.txt"]
    assert server.connections == 1


def test_one_that_a_later_version_wrote_stays_and_keeps_its_target(spool_dir: Path, spooled: Any) -> None:
    spooled("m", "1")
    [name] = files(spool_dir)
    later = (spool_dir / name).read_text().replace('"schema": 1', '"schema": 2')
    (spool_dir / name).write_text(later)
    spooled("m", "2")
    with serving(accepted()) as server:
        flushed = flush(spool_dir, server.url, TOKEN)
    assert (flushed.left, server.connections, len(files(spool_dir))) == (2, 0, 2)
    assert "its schema is 2" in flushed.reason


def test_what_a_killed_writer_left_is_swept_after_an_hour(spool_dir: Path) -> None:
    spool_dir.mkdir()
    for name, age in (("old", 4000), ("new", 10)):
        (spool_dir / f".{name}.tmp").write_text("{")
        os.utime(spool_dir / f".{name}.tmp", (time.time() - age,) * 2)
    assert flush(spool_dir, "http://127.0.0.1:1", TOKEN).ok
    assert files(spool_dir) == [".new.tmp"]


def test_a_process_killed_in_the_midst_of_spooling_leaves_all_or_nothing(spool_dir: Path) -> None:
    script = """
import promotion_relay, sys
n = 0
while True:
    n += 1
    assert promotion_relay.promote("m", n, accuracy=0.5).status == "spooled"
    print(n, flush=True)
"""
    env = {**PYTHON, "SPOOL_DIR": str(spool_dir)}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script], env=env, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        told = [int(process.stdout.readline()) for _ in range(20)]
        process.kill()
        told += [int(line) for line in process.stdout]
    names = Spool(str(spool_dir)).waiting()
    written = [entry_in(name, (spool_dir / name).read_bytes()).request["version"] for name in names]
    assert written[: len(told)] == [str(n) for n in told]


def test_a_full_disk_is_told_and_leaves_nothing(spool_dir: Path) -> None:
    script = """
import promotion_relay, resource
resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
print(promotion_relay.promote("m", 1))
"""
    env = {**PYTHON, "SPOOL_DIR": str(spool_dir)}
    said = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=30, check=True
    )
    assert "status='unavailable'" in said.stdout, said
    assert "it can't be spooled: File too large" in said.stdout
    assert os.listdir(spool_dir) == []


@pytest.mark.parametrize("where", ["/dev/null/spool", "/proc/spool"])
def test_a_directory_that_can_not_be_is_told_and_keeps_nothing_from_the_relay(where: str, away: str) -> None:
    result = promote("m", "1", url=away, token=TOKEN, spool_dir=where, timeout=1)
    assert result.status == "unavailable"
    assert "connection refused" in result.reason
    assert "it can't be spooled" in result.reason
    with serving(accepted()) as server:
        assert promote("m", "1", url=server.url, token=TOKEN, spool_dir=where).status == "accepted"


def test_a_disk_that_became_read_only_keeps_nothing_back(
    spool_dir: Path, spooled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spooled("m", "1")

    def refuse(*_: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "unlink", refuse)
    with serving(accepted()) as server:
        result = promote("m", "2", url=server.url, token=TOKEN, spool_dir=spool_dir)
        flushed = flush(spool_dir, server.url, TOKEN)
    assert result.status == "accepted"
    assert "Read-only file system" in flushed.reason
    assert [request.json["version"] for request in server.requests[:2]] == ["1", "2"]


def test_names_sort_by_time_also_within_a_millisecond() -> None:
    request = {"model": "m", "version": "1", "environment": "production"}
    names = [new_entry(request, None).file_name for _ in range(10_000)]
    assert names == sorted(names)
    assert len(set(names)) == 10_000


def test_the_example_of_the_document_is_what_is_written_and_read() -> None:
    document = (CHECKOUT / "docs" / "SPOOL.md").read_text()
    name = re.search(r"^([0-9a-f-]{53}\.json)$", document, re.MULTILINE)
    example = re.search(r"```json\n(.*?)```", document, re.DOTALL)
    assert name
    assert example
    entry = entry_in(name[1], example[1].encode())
    assert entry.written().decode() == example[1]


def test_a_spool_is_written_within_its_window(spool_dir: Path) -> None:
    entry = new_entry({"model": "m", "version": "1", "environment": "production"}, None)
    Spool(str(spool_dir)).write(entry, Window(30))
    assert until("the file", lambda: files(spool_dir)) == [entry.file_name]
