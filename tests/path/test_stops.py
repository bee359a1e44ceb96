"""Rows 9, 11, 12, 48, 51 and 63: legs, orderly stops, long pauses, orders that are too old, stores that say no."""

import contextlib
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.path.conftest import Open
from tests.path.scene import Exchange, Scene, buy, rest
from tests.path.victim import PAPER, ExchangePlan, url_of
from tests.path.zygote import Zygote

pytestmark = [pytest.mark.crash]


@contextlib.contextmanager
def store_locked(scene: Scene) -> Iterator[None]:
    """Nobody else can write the desk's SQLite file in the block."""
    holder = sqlite3.connect(scene.folder / "desk" / "nightdesk.db", timeout=10.0, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


@pytest.mark.parametrize("point", ["accept.after_commit", "send.after_commit", "send.answered:1", "send.answered:2"])
def test_a_kill_between_two_legs_leaves_one_order_for_each(open_scene: Open, point: str) -> None:
    """Row 9: one leg may be done, the other not even sent."""
    scene = open_scene("A", accounts=2)
    assert scene.dies(scene.start(buy("k"), crash_at=point))
    scene.start(*(() if "k" in scene.answers() else (buy("k"),)))
    scene.until(lambda: scene.states() == ["FILLED NONE"] * 2)
    scene.clean()
    assert sorted(line["account"] for line in scene.lines("accept")) == sorted(scene.accounts)


@pytest.mark.parametrize("venue", ["A", "B"])
def test_a_desk_told_to_stop_drains_and_the_next_one_finds_the_rest(open_scene: Open, venue: str) -> None:
    """Row 11: an answer under way is waited for, one that does not come is left in doubt."""
    scene = open_scene(venue, accounts=2)
    scene.fault("late_accept", delay=0.9)
    pid = scene.start(buy("k"))
    scene.until(lambda: scene.requests() == 2)
    began = time.monotonic()
    scene.stop(pid)
    assert time.monotonic() - began < 5.0
    states = {each.order.account_id: str(each.state.doubt) for each in scene.orders()}
    assert states == {scene.accounts[0]: "UNKNOWN", scene.accounts[1]: "NONE"}
    scene.start()
    scene.until(lambda: scene.states() == ["FILLED NONE"] * 2)
    scene.clean()
    assert len(scene.lines("accept")) == 2


@pytest.mark.parametrize("venue", ["A", "B"])
def test_a_desk_that_was_frozen_in_the_middle_goes_on_without_a_second_order(open_scene: Open, venue: str) -> None:
    """Row 12: SIGSTOP for longer than an order is valid, then SIGCONT."""
    scene = open_scene(venue)
    scene.fault("hang_after_accept")
    pid = scene.start(buy("k"))
    scene.until(lambda: scene.requests() == 1)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1.6)
    os.kill(pid, signal.SIGCONT)
    scene.until(lambda: scene.states() == ["FILLED NONE"])
    scene.clean()
    assert len(scene.lines("accept")) == 1


def freeze_between_transactions(scene: Scene, pid: int) -> None:
    """The desk is stopped and holds no lock; one that does is thrown out by the server itself, but only after 30 s."""
    schema = scene.database_url.rpartition("%3D")[2]
    sql = "SELECT 1 FROM pg_locks JOIN pg_class ON relation = pg_class.oid WHERE relnamespace = ?::regnamespace"
    while True:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.1)
        if not scene.rows(f"{sql} AND mode = 'RowExclusiveLock'", schema):
            return
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.05)


@pytest.mark.postgres
@pytest.mark.slow
def test_a_frozen_desk_whose_place_was_taken_sends_nothing_more(open_scene: Open) -> None:
    """Rows 12 and 64: its lease has ended, another desk works; what it still tries is refused."""
    scene = open_scene("A", postgres=True)
    old = scene.start(seed=1, pause=0.2)
    scene.until(lambda: len(scene.lines("accept")) > 5)
    freeze_between_transactions(scene, old)
    shutil.copytree(scene.folder / "desk", scene.folder / "other", ignore=shutil.ignore_patterns("*.lock", "HALT"))
    other = str(scene.folder / "other")
    early = scene.start(runtime__data=other)
    assert scene.zygote.ended(early, 8.0) == 1, "a desk took the place of one whose lease had not ended"
    scene.pids.remove(early)
    assert "another desk holds this database" in scene.errors()
    time.sleep(10.0)
    new = scene.start(rest("from-the-new-desk"), runtime__data=other)
    scene.until(lambda: "from-the-new-desk" in scene.answers())
    scene.until(lambda: not scene.rows("SELECT 1 FROM commands WHERE state IN ('QUEUED', 'SENDING', 'UNKNOWN')"))
    before = len(scene.lines("request"))
    os.kill(old, signal.SIGCONT)
    time.sleep(1.0)
    assert len(scene.lines("request")) == before
    scene.kill(old)
    scene.clean()
    scene.stop(new)


def test_an_order_that_waited_past_its_deadline_is_never_sent(open_scene: Open) -> None:
    """Row 48: the desk was down for too long."""
    scene = open_scene("A", orders__deadline_market="0.5")
    assert scene.dies(scene.start(buy("k"), crash_at="accept.after_commit"))
    time.sleep(0.6)
    scene.start()
    scene.until(lambda: scene.states() == ["EXPIRED NONE"])
    state = scene.order().state
    assert state.code is not None
    assert state.code.name == "DEADLINE"
    scene.clean()
    assert scene.requests() == 0


def test_an_order_in_doubt_past_its_deadline_is_proven_absent_and_not_sent_again(open_scene: Open) -> None:
    """Rows 4 and 48: nobody wants it any more, and nobody guesses whether it is there."""
    scene = open_scene("A", orders__deadline_market="0.3", orders__probe_after="0.5")
    scene.fault("lost_request")
    scene.start(buy("k"))
    scene.until(lambda: scene.states() == ["DENIED NONE"])
    state = scene.order().state
    assert state.code is not None
    assert state.code.name == "PROVEN_ABSENT"
    scene.clean()
    assert scene.requests() == 0


def test_a_second_desk_on_one_directory_is_refused_and_told_by_whom(open_scene: Open) -> None:
    """Row 63: one sender in the ledger."""
    scene = open_scene("A")
    first = scene.start(buy("k"))
    scene.until(lambda: scene.states() == ["FILLED NONE"])
    second = scene.start(buy("other"))
    assert scene.zygote.ended(second, 8.0) == 1
    scene.pids.remove(second)
    assert f"process {first}" in scene.errors()
    assert "other" not in scene.answers()
    scene.clean()
    assert scene.requests() == 1


@pytest.mark.slow
def test_an_answer_that_cannot_be_written_does_not_leave_the_order_on_its_way_for_ever(open_scene: Open) -> None:
    """Rows 51 and 53: the database takes no write while the doubt is due; it is settled once it takes some again."""
    scene = open_scene("A")
    scene.fault("hang_after_accept", taken=False)
    scene.start(buy("k"))
    scene.until(lambda: scene.requests() == 1)
    with store_locked(scene):
        assert scene.rows("SELECT state FROM commands") == [("SENDING",)]
        time.sleep(7.5)
    scene.until(lambda: scene.states() == ["FILLED NONE"])
    scene.clean()
    assert len(scene.lines("accept")) == 1


@pytest.mark.slow
def test_the_stream_is_opened_again_though_the_store_says_no_meanwhile(
    open_scene: Open, zygote: Zygote, tmp_path: Path
) -> None:
    """Rows 28 and 51: an exchange that restarts while nothing can be written is listened to again afterwards."""
    folder = tmp_path / "own"
    pid = zygote.exchange(ExchangePlan(folder=str(folder), paper=PAPER))
    url = url_of(folder)
    scene = open_scene("A", orders__open_orders_every="600")
    scene.exchange = Exchange(url=url, folder=folder, pid=pid, unique=True)
    try:
        scene.start(rest("k"))
        scene.until(lambda: scene.states() == ["NEW NONE"])
        with store_locked(scene):
            os.kill(pid, signal.SIGKILL)
            zygote.ended(pid, 5.0)
            pid = zygote.exchange(ExchangePlan(folder=str(folder), paper=PAPER, port=int(url.rpartition(":")[2])))
            time.sleep(9.0)
        time.sleep(1.0)
        scene.fault("force_fill", client_id=scene.order().order.cl_ord_id, qty="0.01", px="66000")
        scene.until(lambda: scene.states() == ["FILLED NONE"], 25.0)
        scene.clean()
    finally:
        os.kill(pid, signal.SIGKILL)
        zygote.ended(pid, 5.0)


@pytest.mark.slow
def test_a_busy_desk_is_not_mistaken_for_a_mismatch(open_scene: Open) -> None:
    """Row 38, the other side: with orders always under way both sides never stand still, and nothing is wrong."""
    scene = open_scene("A", accounts=2)
    pid = scene.start(seed=3, senders=10, pause=0.06)
    for _ in range(12):
        time.sleep(0.5)
        assert scene.trading() in ("ACTIVE", "RECONCILING"), scene.rows("SELECT state_reason FROM accounts")
    scene.kill(pid)
    scene.start()
    scene.clean()
