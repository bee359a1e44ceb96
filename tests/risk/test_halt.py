"""The kill switch: flag, file and row; any one of them halts, and so does one that cannot be read."""

import os
import stat
from pathlib import Path

import pytest

from nightdesk.risk.halt import FILE_NAME, HaltSwitch, resume_digest, resume_matches, write_halt_file
from nightdesk.risk.store import GLOBAL, HaltRow, read_halt, write_halt
from nightdesk.runtime.clock import VirtualClock
from nightdesk.runtime.database import Database


def a_switch(folder: Path) -> tuple[HaltSwitch, VirtualClock]:
    clock = VirtualClock()
    return HaltSwitch(folder, clock), clock


def test_a_desk_that_was_never_halted_trades(tmp_path: Path) -> None:
    assert not a_switch(tmp_path)[0].state.halted


def test_a_halt_holds_in_memory_and_on_disk_at_once(tmp_path: Path) -> None:
    """Row 96."""
    switch, _ = a_switch(tmp_path)

    switch.halt("too fast", "person")

    assert switch.state.halted
    assert (switch.state.reason, switch.state.actor) == ("too fast", "person")
    assert (tmp_path / FILE_NAME).read_text() == "person\ntoo fast\n"
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_a_halt_survives_a_restart(tmp_path: Path) -> None:
    a_switch(tmp_path)[0].halt("too fast", "person")

    again, _ = a_switch(tmp_path)

    assert (again.state.halted, again.state.reason, again.state.actor) == (True, "too fast", "person")


def test_a_file_laid_by_another_process_is_seen_within_a_fifth_of_a_second(tmp_path: Path) -> None:
    """Row 96: new orders blocked within a second."""
    switch, clock = a_switch(tmp_path)
    assert not switch.state.halted
    write_halt_file(tmp_path / FILE_NAME, "from outside", "cli")

    clock.advance(0.1)
    before = switch.state.halted
    clock.advance(0.1)

    assert not before
    assert (switch.state.halted, switch.state.reason, switch.state.actor) == (True, "from outside", "cli")


def test_an_empty_file_halts(tmp_path: Path) -> None:
    """`touch HALT` is enough."""
    (tmp_path / FILE_NAME).touch()

    assert a_switch(tmp_path)[0].state.actor == "file"
    assert a_switch(tmp_path)[0].state.halted


def test_a_file_that_cannot_be_read_halts(tmp_path: Path) -> None:
    """It fails closed."""
    (tmp_path / FILE_NAME).mkdir()

    state = a_switch(tmp_path)[0].state

    assert state.halted
    assert "cannot be read" in state.reason


def test_the_first_reason_stays_while_the_file_is_there(tmp_path: Path) -> None:
    switch, clock = a_switch(tmp_path)
    switch.halt("first", "person")
    write_halt_file(tmp_path / FILE_NAME, "second", "cli")
    clock.advance(1)

    assert switch.state.reason == "first"


def test_lifting_removes_flag_and_file(tmp_path: Path) -> None:
    switch, clock = a_switch(tmp_path)
    switch.halt("too fast", "person")

    switch.lift()
    clock.advance(1)

    assert not switch.state.halted
    assert not (tmp_path / FILE_NAME).exists()
    switch.lift()


def test_a_row_alone_halts_after_a_restart(tmp_path: Path) -> None:
    switch, _ = a_switch(tmp_path)

    switch.remember("from the database", "person")

    assert (switch.state.halted, switch.state.reason) == (True, "from the database")


def test_the_flag_holds_although_the_file_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Row 52: a full or read-only disk. The caller goes on to the row and the cancels."""
    switch, _ = a_switch(tmp_path / "missing")

    switch.halt("too fast", "person")

    assert switch.state.halted
    assert [record.getMessage() for record in caplog.records] == ["halt.file_not_written"]


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    """S39."""
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / FILE_NAME).symlink_to(target)

    with pytest.raises(OSError, match="Too many levels"):
        write_halt_file(tmp_path / FILE_NAME, "reason", "person")

    assert target.read_text() == "precious"
    assert os.readlink(tmp_path / FILE_NAME) == str(target)  # noqa: PTH115  # the link itself is what is looked at


def test_a_resume_code_matches_only_itself() -> None:
    digest = resume_digest("A1B2C3")

    assert resume_matches("A1B2C3", digest)
    assert not resume_matches("A1B2C4", digest)
    assert not resume_matches("A1B2C3", None)
    assert "A1B2C3" not in digest


def test_the_row_of_a_halt_comes_back_as_it_was_written(database: Database) -> None:
    connection = database.connect()
    tx = connection.begin()
    row = HaltRow(scope=GLOBAL, halted=True, reason="r", actor="a", at=5, resume_digest="d", resume_until=9)

    assert read_halt(tx) is None
    write_halt(tx, row)
    assert read_halt(tx) == row
    lifted = HaltRow(scope=GLOBAL, halted=False, reason="", actor="b", at=6)
    write_halt(tx, lifted)
    assert read_halt(tx) == lifted
    assert read_halt(tx, "another") is None
    connection.rollback()
    connection.close()
