"""Who may write: one desk at a time, by a fence in the database and a lease by the server's clock."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from nightdesk.runtime import store
from nightdesk.runtime.clock import SystemClock, VirtualClock
from nightdesk.runtime.database import Database, PostgresConnection
from nightdesk.runtime.lock import AlreadyRunning, ProcessLock
from nightdesk.runtime.writer import Fenced, Writer
from tests.runtime.starting import ROOT, dead_pid, opened, words_of, writing
from tests.runtime.victims import insert, keys_in

LEASE = 0.3


def place_of(database: Database) -> tuple[int, int, str, int]:
    """The place's fence, last batch, holder and the microseconds that are left of its lease."""
    with opened(database) as connection:
        fence, batch, holder, lease_until = store.place(connection.begin(), "desk")
        connection.rollback()
        return fence, batch, holder, lease_until - connection.now_micros()


def test_a_second_desk_on_one_directory_is_told_who_holds_it_rows_12_63(tmp_path: Path):
    hold = (
        "import sys; from pathlib import Path\n"
        "from nightdesk.runtime.clock import SystemClock; from nightdesk.runtime.lock import ProcessLock\n"
        "lock = ProcessLock(Path(sys.argv[1]), SystemClock()); lock.acquire(); print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        for stopped in (False, True):
            # A process that was stopped holds its lock all the same: it may go on at any moment.
            if stopped:
                os.kill(child.pid, signal.SIGSTOP)
            with pytest.raises(AlreadyRunning) as caught:
                ProcessLock(tmp_path, SystemClock()).acquire()
            assert caught.value.pid == child.pid
    finally:
        child.kill()
        child.communicate()


def test_a_second_desk_on_one_server_is_refused_while_the_first_lives_row_63(postgresql: Database):
    with writing(postgresql, holder="there:77") as first:
        second = Writer(postgresql, SystemClock(), name="desk", holder="here:1")
        with pytest.raises(Fenced, match=r"another desk holds this database \(there:77\); stop it, or wait \d+ s"):
            second.start()
        assert not second.holds_lease()
        assert first.run_blocking(insert, "a") == "a"
        assert first.holds_lease()
        # Another name is another place.
        other = Writer(postgresql, SystemClock(), name="other", holder="here:1")
        other.start()
        other.stop()
    assert keys_in(postgresql) == {"a"}


def test_a_desk_that_stopped_leaves_its_place_at_once(postgresql: Database):
    with writing(postgresql, holder="there:77") as first:
        fence = place_of(postgresql)[0]
    assert not first.holds_lease()
    assert place_of(postgresql)[2] == ""
    with writing(postgresql, holder="here:1"):
        assert place_of(postgresql)[0] == fence + 1


def test_a_desk_that_died_on_this_machine_is_succeeded_at_once(postgresql: Database):
    writer = Writer(postgresql, SystemClock(), name="desk", holder=f"here:{dead_pid()}")
    writer.start()
    with writing(postgresql, holder="here:1") as next_one:
        # The first is not dead after all (its id was another machine's, say): it writes nothing and knows it.
        assert next_one.run_blocking(insert, "a") == "a"
        with pytest.raises(Fenced, match="another process has taken over"):
            writer.run_blocking(insert, "b")
        assert not writer.holds_lease()
        writer.stop()
        assert next_one.run_blocking(insert, "c") == "c"
        assert next_one.holds_lease()
    assert keys_in(postgresql) == {"a", "c"}


@pytest.mark.parametrize("holder", ["here:alive", "there:dead", "nonsense", "here:", ":dead"])
def test_who_cannot_be_known_to_be_gone_is_waited_for(postgresql: Database, holder: str):
    holder = holder.replace("alive", str(os.getpid())).replace("dead", str(dead_pid()))
    first = Writer(postgresql, SystemClock(), name="desk", holder=holder)
    first.start()
    with pytest.raises(Fenced, match="another desk holds"), writing(postgresql, holder="here:1"):
        pass
    first.stop()


def test_a_desk_stopped_for_longer_than_its_lease_sends_and_writes_nothing_afterwards_rows_12_64(
    postgresql: Database,
):
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.runtime.victims", "lease", *words_of(postgresql), str(LEASE)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(line: str) -> str:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{line}\n")
        child.stdin.flush()
        return child.stdout.readline().strip()

    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        assert ask("before") == "before"
        assert ask("lease") == "True"
        # Idle for longer than its lease it keeps it, since it renews it by itself.
        time.sleep(2 * LEASE)
        assert ask("lease") == "True"
        with pytest.raises(Fenced), writing(postgresql, holder="here:1", lease=LEASE):
            pass
        os.kill(child.pid, signal.SIGSTOP)
        began = time.monotonic()
        heir = None
        while heir is None:
            try:
                candidate = Writer(postgresql, SystemClock(), name="desk", holder="here:1", lease=LEASE)
                candidate.start()
                heir = candidate
            except Fenced:
                time.sleep(0.02)
        # Taken over no earlier than the lease allows, by the server's clock, and not much later.
        assert time.monotonic() - began < 5 * LEASE
        assert heir.run_blocking(insert, "heir") == "heir"
        os.kill(child.pid, signal.SIGCONT)
        assert ask("lease") == "False"
        assert ask("stale") == "fenced"
        assert ask("lease") == "False"
        assert heir.holds_lease()
        heir.stop()
    finally:
        child.kill()
        child.communicate()
    assert keys_in(postgresql) == {"before", "heir"}


def test_a_jump_of_the_wall_clock_changes_no_lease_row_43(postgresql: Database):
    clock = VirtualClock()
    with writing(postgresql, clock, holder="there:1") as writer:
        for jump in (timedelta(minutes=5), timedelta(minutes=-5), timedelta(hours=-1), timedelta(days=400)):
            clock.set_wall(clock.now() + jump)
            assert writer.holds_lease()
            assert writer.run_blocking(insert, str(jump)) == str(jump)
            # The end of the lease is the server's now and ten seconds, whatever this machine thinks the time is.
            assert 9_000_000 < place_of(postgresql)[3] <= 10_000_000
            with pytest.raises(Fenced), writing(postgresql, VirtualClock(), holder="here:1"):
                pass


def test_a_lease_ends_by_itself_and_work_renews_it(postgresql: Database):
    clock = VirtualClock()
    with writing(postgresql, clock) as writer:
        clock.advance(9.9)
        assert writer.holds_lease()
        clock.advance(0.2)
        assert not writer.holds_lease()
        writer.run_blocking(insert, "a")
        assert writer.holds_lease()


def test_work_that_was_rolled_back_renews_no_lease_row_64(postgresql: Database):
    clock = VirtualClock()
    with writing(postgresql, clock) as writer:
        clock.advance(9.0)
        with pytest.raises(ZeroDivisionError):
            writer.call_blocking(lambda _tx: 1 // 0)
        # The database still has the old end of the lease, so somebody else may be there from now on.
        clock.advance(2.0)
        assert not writer.holds_lease()


def test_a_lease_is_counted_from_before_the_server_was_asked_row_64(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch
):
    clock = VirtualClock()
    real = PostgresConnection.now_micros

    def slow(self: PostgresConnection) -> int:
        answer = real(self)
        clock.advance(6.0)
        return answer

    monkeypatch.setattr(PostgresConnection, "now_micros", slow)
    with writing(postgresql, clock) as writer:
        clock.advance(3.9)
        assert writer.holds_lease()
        clock.advance(0.2)
        assert not writer.holds_lease()


def test_on_sqlite_the_lock_file_is_the_lease(sqlite: Database):
    clock = VirtualClock()
    with writing(sqlite, clock) as writer:
        clock.advance(3600)
        assert writer.holds_lease()
    assert not writer.holds_lease()


def test_every_start_is_a_new_fence_and_batches_go_on(database: Database):
    with writing(database) as writer:
        writer.run_blocking(insert, "a")
        first = place_of(database)
    with writing(database) as writer:
        writer.run_blocking(insert, "b")
        second = place_of(database)
    assert second[0] == first[0] + 1
    assert second[1] > first[1]
