"""The ledger: append-only, private, locked, and whole again after any cut."""

import errno
import os
import stat
from pathlib import Path

import pytest

from nightdesk.venues.paper.ledger import Ledger, LedgerError, read_ledger


def write(path: Path, *kinds: str) -> None:
    ledger = Ledger(path)
    ledger.append([{"kind": kind} for kind in kinds])
    ledger.close()


def test_lines_are_numbered_on_over_restarts(tmp_path: Path) -> None:
    path = tmp_path / "data" / "ledger.jsonl"
    write(path, "open", "account")
    write(path, "request")
    assert read_ledger(path) == [
        {"seq": 1, "kind": "open"},
        {"seq": 2, "kind": "account"},
        {"seq": 3, "kind": "request"},
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_append_is_with_the_operating_system_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.append([{"kind": "open"}])
    assert len(read_ledger(path)) == 1
    ledger.close()
    ledger.close()


@pytest.mark.parametrize("cut", range(1, 24))
def test_x6_a_torn_last_line_is_cut_off_at_any_byte(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "ledger.jsonl"
    write(path, "open", "request")
    data = path.read_bytes()
    last = len(data) - data.rfind(b"\n", 0, -1) - 1
    path.write_bytes(data[:-cut])
    assert [line["kind"] for line in read_ledger(path)] == ["open"]
    ledger = Ledger(path)
    assert ledger.torn == last - cut
    assert [line["kind"] for line in ledger.replay()] == ["open"]
    assert ledger.replay() == []
    ledger.append([{"kind": "request"}])
    ledger.close()
    assert [line["seq"] for line in read_ledger(path)] == [1, 2]


@pytest.mark.parametrize("damage", [b'{"seq":1,"kind":"op\n', b'{"seq":7,"kind":"open"}\n', b"[]\n"])
def test_damage_in_the_middle_is_named_and_not_guessed_over(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(damage + b'{"seq":2,"kind":"request"}\n')
    with pytest.raises(LedgerError, match=r"line 1: .* Restore the file"):
        Ledger(path)


def test_a_second_writer_is_kept_out(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    first = Ledger(path)
    with pytest.raises(LedgerError, match="in use by another process"):
        Ledger(path)
    first.close()
    Ledger(path).close()


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.append([{"kind": "open"}])
    real = os.write

    def full(fd: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data[: len(data) - 10])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        ledger.append([{"kind": "request"}])
    monkeypatch.undo()
    ledger.append([{"kind": "note"}])
    assert [line["kind"] for line in read_ledger(path)] == ["open", "note"]
    ledger.close()


def test_a_half_line_that_cannot_be_cut_off_ends_all_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")

    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "write", broken)
    monkeypatch.setattr(os, "ftruncate", broken)
    with pytest.raises(OSError, match="Input/output"):
        ledger.append([{"kind": "open"}])
    monkeypatch.undo()
    with pytest.raises(OSError, match="Bad file descriptor"):
        ledger.append([{"kind": "open"}])
