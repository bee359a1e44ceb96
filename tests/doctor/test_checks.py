"""Every finding with its cure: the thing is broken on purpose, named, and nothing is touched."""

import hashlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nightdesk.doctor.checks import examine
from nightdesk.doctor.finding import Finding
from nightdesk.doctor.report import report
from tests.app.desks import OPERATOR, WEBHOOK, Desk, desk, environment

ENV = {"NIGHTDESK_WEBHOOK_TOKEN": WEBHOOK, "NIGHTDESK_OPERATOR_TOKEN": OPERATOR, "NIGHTDESK_WEB__PORT": "0"}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a desk that has traded and was stopped."""
    with desk(Path(tmp_path_factory.mktemp("kept"))) as one:
        one.alert({"symbol": "BTC-USD", "side": "buy", "size": "0.001"}, wait="10")
        assert one.stop() == 0
        return one.data


@pytest.fixture
def data(kept: Path, tmp_path: Path) -> Path:
    """A copy of it, to be broken."""
    return Path(shutil.copytree(kept, tmp_path / "data"))


def found(data: Path, name: str, config: Path | None = None, **env: str) -> Finding:
    """The one finding of that name; looking has changed nothing."""
    before = everything(data)
    findings = examine(data, config, {**ENV, **env})
    assert everything(data) == before
    (one,) = [each for each in findings if each.name == name]
    return one


def everything(data: Path) -> dict[str, tuple[int, str]]:
    """Every file below with its mode and content; how often SQLite was read is in the -shm file alone."""
    return {
        str(path.relative_to(data)): (
            path.lstat().st_mode,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and path.suffix != ".db-shm" else "",
        )
        for path in sorted(data.rglob("*"))
        if not path.name.endswith("-shm")
    }


def test_a_desk_in_order_has_nothing_to_mend(data: Path) -> None:
    before = everything(data)
    findings = examine(data, None, ENV)
    assert {each.status for each in findings} == {"ok"}, findings
    assert everything(data) == before
    assert [each.name for each in findings] == [
        "settings", "python", "disk", "data", "tokens", "database", "audit", "market", "port",
    ]  # fmt: skip
    assert report(findings).startswith("● Everything looked at is fine.\n")


def test_before_the_first_start_there_is_nothing_to_mend_and_nothing_is_made(tmp_path: Path) -> None:
    place = tmp_path / "data"
    for env in ({}, {"NIGHTDESK_OPERATOR_TOKEN": OPERATOR}):
        findings = examine(place, None, env)
        assert {each.status for each in findings} <= {"ok", "warning"}
        assert not place.exists()
    assert report(findings).startswith("◆ Nothing is broken. 3 things to know.\n")


def test_files_others_can_read_are_named_with_the_command_that_closes_them(data: Path) -> None:
    (data / "nightdesk.db").chmod(0o644)
    one = found(data, "data")
    assert (one.status, str(data / "nightdesk.db") in one.text) == ("problem", True)
    assert one.cure.startswith(f"chmod 600 {data / 'nightdesk.db'}")
    (data / "nightdesk.db").chmod(0o600)
    data.chmod(0o777)
    assert found(data, "data").cure == f"chmod go-w {data}"


def test_a_link_or_a_file_in_the_place_of_the_directory_is_named(data: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(data)
    assert str(data) in next(each for each in examine(link, None, ENV) if each.name == "data").cure
    (tmp_path / "file").write_text("")
    assert "not a directory" in next(each for each in examine(tmp_path / "file", None, ENV) if each.name == "data").text


def test_row_52_a_disk_that_fills_up_is_named_before_it_is_full(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(data)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=200 * 1024**2))
    one = found(data, "disk")
    assert (one.status, one.text, one.cure.split()[0]) == ("problem", "0.2 GiB free", "Free")


def test_tokens_too_weak_alike_or_readable_are_named_and_not_shown(data: Path) -> None:
    weak = found(data, "tokens", NIGHTDESK_OPERATOR_TOKEN="short-token")
    assert (weak.status, "NIGHTDESK_OPERATOR_TOKEN" in weak.text, "short-token" in weak.text) == (
        "problem",
        True,
        False,
    )
    assert found(data, "tokens", NIGHTDESK_OPERATOR_TOKEN=WEBHOOK).status == "problem"
    file = data / "tokens.json"
    file.write_text(json.dumps({"webhook": "w" * 40, "operator": "o" * 40}))
    file.chmod(0o644)
    (one,) = [each for each in examine(data, None, {"NIGHTDESK_WEB__PORT": "0"}) if each.name == "tokens"]
    assert (one.status, "chmod 600" in one.text, "oooo" in one.text) == ("problem", True, False)


def test_row_55_a_damaged_database_is_named_with_the_way_back(data: Path) -> None:
    path = data / "nightdesk.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))
    one = found(data, "database")
    assert (one.status, "is damaged" in one.text, "backups" in one.cure) == ("problem", True, True)
    path.write_bytes(b"not a database" * 1000)
    assert found(data, "database").status == "problem"


def _edit(data: Path, statement: str) -> None:
    with sqlite3.connect(data / "nightdesk.db") as connection:
        assert connection.execute(statement).rowcount == 1
    connection.close()


def test_an_older_schema_is_a_warning_and_a_newer_one_a_problem(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nightdesk.doctor.records.HEAD", "0002")
    one = found(data, "database")
    assert (one.status, "schema 0001; this version has 0002" in one.text) == ("warning", True)
    assert "keeps a copy" in one.cure
    monkeypatch.undo()
    _edit(data, "UPDATE alembic_version SET version_num = '9999'")
    newer = found(data, "database")
    assert (newer.status, "newer version" in newer.cure) == ("problem", True)


def test_x11_an_edited_audit_line_is_named_by_its_number(data: Path) -> None:
    with sqlite3.connect(data / "nightdesk.db") as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '%audit%'")]
    connection.close()
    (table,) = [name for name in tables if "sqlite" not in name and "ix" not in name]
    _edit(data, f"UPDATE {table} SET actor = 'nobody' WHERE seq = 1")
    one = found(data, "audit")
    assert (one.status, "breaks at line 1" in one.text, bool(one.cure)) == ("problem", True, True)


def test_a_halt_is_shown_with_who_why_and_the_way_back(data: Path) -> None:
    (data / "HALT").write_text("command line\ngone to bed\n")
    one = found(data, "halt")
    assert (one.status, one.text) == ("warning", "trading is halted by command line: gone to bed")
    assert "nightdesk resume" in one.cure
    (data / "HALT").write_bytes(b"\xff\xfe")
    assert found(data, "halt").status == "problem"


def test_a_port_that_is_taken_is_named(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        one = found(data, "port", NIGHTDESK_WEB__PORT=number)
        assert (one.status, number in one.text, "--port" in one.cure) == ("problem", True, True)
        # Not even where the address file of a killed desk says that the desk is there.
        (data / "address").write_text(f"http://127.0.0.1:{number}\n")
        (data / "address").chmod(0o600)
        taken.settimeout(0.1)
        assert found(data, "port", NIGHTDESK_WEB__PORT=number).status == "problem"


def test_wrong_settings_are_named_by_key_and_line_and_end_the_examination(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "desk.toml"
    config.write_text("[web]\nprot = 1\nrate_burst = -1\n")
    (one,) = examine(data, config, ENV)
    assert (one.name, one.status) == ("settings", "problem")
    assert "web.prot" in one.text
    assert "desk.toml:3" in one.text
    assert report([one]).startswith("▲ One thing to mend.\n  ▲ settings  2 settings are wrong:\n")


def test_a_recording_that_is_not_there_is_named(data: Path) -> None:
    one = found(data, "market", NIGHTDESK_MARKET__SOURCE="gone.parquet")
    assert (one.status, one.text) == ("problem", "there is no file gone.parquet")


def test_a_postgresql_server_that_does_not_answer_is_named_without_its_password(data: Path) -> None:
    url = "postgresql://user:hidden-password@127.0.0.1:1/desk"
    one = found(data, "database", NIGHTDESK_RUNTIME__DATABASE=url)
    assert (one.status, "hidden-password" in one.text) == ("problem", False)
    assert "runtime.database" in one.cure


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk that runs while it is looked at."""
    with desk(Path(tmp_path_factory.mktemp("running"))) as one:
        one.alert({"symbol": "BTC-USD", "side": "buy", "size": "0.001"}, wait="10")
        yield one


def test_a_running_desk_is_looked_at_without_disturbing_it(running: Desk) -> None:
    done = running.command_line("doctor", "--json")
    findings = {each["name"]: each for each in json.loads(done.stdout)}
    assert (done.returncode, {each["status"] for each in findings.values()}) == (0, {"ok"}), findings
    assert findings["port"]["text"] == f"the desk answers at http://127.0.0.1:{running.port}"
    assert running.alert({"symbol": "BTC-USD", "side": "buy", "size": "0.002"}, wait="10").fields["status"] == "success"


@pytest.mark.crash
def test_a_desk_that_was_killed_is_looked_at_as_it_lies(running: Desk, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(running.data, copy)
    assert (copy / "nightdesk.db-wal").stat().st_size > 0
    (copy / "address").unlink()
    assert found(copy, "database").status == "ok"
    assert found(copy, "audit").status == "ok"


def test_the_command_ends_with_1_where_something_is_to_mend(data: Path) -> None:
    (data / "nightdesk.db").chmod(0o644)
    command = [sys.executable, "-m", "nightdesk", "doctor", "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(**ENV), timeout=30)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("▲ One thing to mend.\n")
    assert f"chmod 600 {data}" in done.stdout
    assert os.fspath(data) in done.stdout
