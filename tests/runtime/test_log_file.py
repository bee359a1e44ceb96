"""The log file: new when full or the day is over, old ones deleted (W13, S39)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nightdesk.runtime.log_file import LogFile

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def names(directory: Path) -> list[str]:
    return sorted(each.name for each in directory.iterdir())


def test_a_full_file_is_closed_and_a_new_one_begun_w13(tmp_path: Path):
    file = LogFile(tmp_path, max_bytes=25, days=30)
    for number in range(5):
        file.write(f"line {number} ....", START)
    file.close()
    assert names(tmp_path) == ["nightdesk-2026-11-20.1.log", "nightdesk-2026-11-20.log", "nightdesk.log"]
    kept = ["nightdesk-2026-11-20.log", "nightdesk-2026-11-20.1.log", "nightdesk.log"]
    lines = "".join((tmp_path / each).read_text() for each in kept).splitlines()
    assert lines == [f"line {number} ...." for number in range(5)]


def test_a_line_larger_than_a_file_is_written_whole(tmp_path: Path):
    file = LogFile(tmp_path, max_bytes=5, days=30)
    file.write("x" * 50, START)
    file.close()
    assert (tmp_path / "nightdesk.log").read_text() == "x" * 50 + "\n"


def test_files_of_days_past_are_closed_and_old_ones_deleted_w13(tmp_path: Path):
    (tmp_path / "nightdesk-notes.log").write_text("not ours")
    file = LogFile(tmp_path, max_bytes=1000, days=2)
    for day in range(6):
        file.write("a line", START + timedelta(days=day))
    file.close()
    assert names(tmp_path) == [
        "nightdesk-2026-11-23.log",
        "nightdesk-2026-11-24.log",
        "nightdesk-notes.log",
        "nightdesk.log",
    ]


def test_a_restart_goes_on_in_the_same_file(tmp_path: Path):
    now = datetime.now(UTC)
    for text in ("one", "two"):
        file = LogFile(tmp_path, max_bytes=1000, days=30)
        file.write(text, now)
        file.close()
    assert (tmp_path / "nightdesk.log").read_text() == "one\ntwo\n"


def test_a_log_that_is_a_link_is_not_followed_s39(tmp_path: Path):
    (tmp_path / "victim").write_text("")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "nightdesk.log").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic"):
        LogFile(tmp_path / "logs", max_bytes=1000, days=30).write("x", START)
    assert (tmp_path / "victim").read_text() == ""
