"""No room to write: nothing is taken that cannot be kept, and everything goes on once there is room (rows 52, 53)."""

import contextlib
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.desks import Answer, Desk, desk, wait_for

UNLIMITED = resource.RLIM_INFINITY


def buy(one: Desk, name: str) -> Answer:
    return one.alert({"symbol": "BTC-USD", "side": "buy", "size": "0.001", "id": name})


def _limit(one: Desk, most: int) -> None:
    assert one.process is not None
    resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (most, UNLIMITED))


def resume(one: Desk) -> None:
    code = one.api("POST", "/api/resume", {}).fields["confirm"]
    assert one.api("POST", "/api/resume", {"confirm": code}).status == 200


def _through_a_shortage(one: Desk, begin: Iterator[None]) -> None:
    """Alerts before, during and after; `begin` first takes the room away, and gives it back when asked again."""
    before = [buy(one, f"before {number}").signal_id for number in range(3)]
    for signal_id in before:
        one.ended(signal_id)
    next(begin)
    refused, taken = 0, []
    for number in range(400):
        answer = buy(one, f"during {number}")
        assert answer.status in (202, 503), answer
        if answer.status == 202:
            taken.append(answer.signal_id)
            continue
        assert (answer.code, answer.fields["signal_id"]) == ("STORE_UNAVAILABLE", None)
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.fields["next_step"]
        refused += 1
        if refused == 5:
            break
    assert refused == 5
    wait_for(lambda: one.ask("GET", "/api/health/ready").status == 503, "the desk to say that it takes nothing")
    assert one.ask("GET", "/api/health").status == 503
    assert one.ask("GET", "/api/health/live").status == 200
    next(begin)
    wait_for(lambda: one.ask("GET", "/api/health/ready").status == 200, "the desk to recover", seconds=30)
    if one.get("/api/status")["halted"]:
        # The desk gave its reserve back before it gave up, and trades again when a person says so.
        assert "disk is full" in one.get("/api/status")["halt_reason"]
        resume(one)
    after = buy(one, "during 399")
    assert after.status == 202
    for signal_id in (*before, *taken, after.signal_id):
        (order,) = one.ended(signal_id)
        assert (order["doubt"], order["ord_status"] in ("FILLED", "EXPIRED")) == ("NONE", True), order
    kept = {each["explicit_id"] for each in one.get("/api/signals?limit=500")["signals"]}
    assert len(kept) == len(before) + len(taken) + 1
    filled = one.get("/api/orders?status=FILLED&limit=500")["orders"]
    held = float(one.held("tradingview")[("paper", "BTC-USD")])
    assert held == pytest.approx(0.001 * len(filled))


def test_row_52_a_file_that_cannot_grow_is_answered_with_503_and_loses_nothing(tmp_path: Path) -> None:
    def shortage(one: Desk) -> Iterator[None]:
        log = one.data / "nightdesk.db-wal"
        _limit(one, log.stat().st_size)
        yield
        _limit(one, UNLIMITED)
        yield

    with desk(tmp_path) as one:
        _through_a_shortage(one, shortage(one))


@contextlib.contextmanager
def _small_disk(place: Path, size: str) -> Iterator[Path]:
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("a small disk: this user may not mount one")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(65_536))
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(512))


def test_row_52_a_full_disk_halts_the_desk_and_the_reserve_lets_positions_be_closed(tmp_path: Path) -> None:
    with _small_disk(tmp_path / "disk", "120m") as place, desk(tmp_path, place=place / "data") as one:
        try:
            (order,) = one.ended(buy(one, "before").signal_id)
            assert order["ord_status"] == "FILLED"
            _fill(place / "filler")
            wait_for(lambda: buy(one, f"during {time.monotonic()}").code == "HALTED", "the desk to halt", seconds=10)
            assert "disk is full" in one.get("/api/status")["halt_reason"]
            closing = one.alert({"symbol": "BTC-USD", "side": "close", "id": "way out"}, wait="10")
            assert closing.fields["status"] == "success", closing
            assert one.held("tradingview") == {}
            (place / "filler").unlink()
            assert one.stop() == 0
            one.start()
            assert buy(one, "halted still").code == "HALTED"
            resume(one)
            assert buy(one, "after").status == 202
        finally:
            one.end()


def test_row_52_a_full_disk_without_a_reserve_is_answered_with_503_and_loses_nothing(tmp_path: Path) -> None:
    def shortage(one: Desk) -> Iterator[None]:
        filler = one.data / "filler"
        _fill(filler)
        yield
        filler.unlink()
        yield

    with _small_disk(tmp_path / "disk", "40m") as place, desk(tmp_path, place=place / "data") as one:
        try:
            _through_a_shortage(one, shortage(one))
        finally:
            one.end()


def test_row_53_a_disk_that_cannot_be_written_is_named_at_the_start(tmp_path: Path) -> None:
    with _small_disk(tmp_path / "disk", "1m") as place:
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        code, said = Desk(tmp_path, place=place / "data").refused()
        assert (code, str(place) in said) == (3, True), said
