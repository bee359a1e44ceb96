"""One process at a time on a data directory (row 63, S39)."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nightdesk.runtime.clock import VirtualClock
from nightdesk.runtime.lock import AlreadyRunning, LockUnavailable, ProcessLock

HOLD = """
import sys, time, pathlib
from nightdesk.runtime.clock import SystemClock
from nightdesk.runtime.lock import ProcessLock
lock = ProcessLock(pathlib.Path(sys.argv[1]), SystemClock())
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""

FORK = """
import os, pathlib, signal, sys, time
from nightdesk.runtime.clock import SystemClock
from nightdesk.runtime.lock import AlreadyRunning, ProcessLock
path = pathlib.Path(sys.argv[1])
lock = ProcessLock(path, SystemClock())
lock.acquire()
released, said = os.pipe()
child = os.fork()
if child == 0:
    assert not lock.held
    os.write(said, b"x")
    os.close(1)
    time.sleep(60)
os.read(released, 1)
try:
    ProcessLock(path, SystemClock()).acquire()
except AlreadyRunning:
    print(child, flush=True)  # the child gave up its copy, and the parent holds on
os.kill(os.getpid(), signal.SIGKILL)
"""


def lock_on(path: Path) -> ProcessLock:
    return ProcessLock(path, VirtualClock())


def test_a_second_holder_is_told_the_first_ones_pid_and_what_to_do_row_63(tmp_path: Path):
    with lock_on(tmp_path) as first:
        assert first.held
        with pytest.raises(AlreadyRunning) as refused:
            lock_on(tmp_path).acquire()
    assert refused.value.pid == os.getpid()
    assert f"process {os.getpid()}, since 2026-01-05T09:30:00+00:00" in str(refused.value)
    assert f"kill {os.getpid()}" in str(refused.value)
    assert "--data" in str(refused.value)


def test_a_released_lock_can_be_taken_again_and_taking_twice_is_one(tmp_path: Path):
    lock = lock_on(tmp_path)
    for _ in range(2):
        lock.acquire()
        lock.acquire()
        lock.release()
        lock.release()
        assert not lock.held
    lock_on(tmp_path).acquire()


def test_another_process_is_refused_and_kill_9_frees_the_lock_row_63(tmp_path: Path):
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning, match=f"process {child.pid}, since "):
            lock_on(tmp_path).acquire()
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    # The file still names the dead process, and that keeps nobody out.
    assert str(child.pid) in (tmp_path / ProcessLock.FILE).read_text()
    with lock_on(tmp_path):
        assert str(os.getpid()) in (tmp_path / ProcessLock.FILE).read_text()


def test_a_forked_child_does_not_keep_the_lock_alive(tmp_path: Path):
    child = subprocess.Popen([sys.executable, "-c", FORK, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    orphan = int(child.stdout.readline())
    try:
        assert child.wait() == -signal.SIGKILL
        os.kill(orphan, 0)
        with lock_on(tmp_path) as lock:
            assert lock.held
    finally:
        os.kill(orphan, signal.SIGKILL)
        child.stdout.close()


def test_the_file_is_private_and_is_no_link_s39(tmp_path: Path):
    with lock_on(tmp_path):
        assert (tmp_path / ProcessLock.FILE).stat().st_mode & 0o777 == 0o600
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ProcessLock.FILE).unlink()
    (tmp_path / ProcessLock.FILE).symlink_to(victim)
    with pytest.raises(LockUnavailable, match="symbolic link"):
        lock_on(tmp_path).acquire()
    assert victim.read_text() == "precious"


def test_a_directory_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(LockUnavailable, match="cannot be opened: No such file"):
        lock_on(tmp_path / "nowhere").acquire()


@pytest.mark.parametrize(
    "said", ["", "nonsense", '{"pid": -1, "since": "2026-01-05T09:30:00+00:00"}', '{"pid": 5}', "[]"]
)
def test_a_holder_that_does_not_say_who_it_is_is_never_guessed(tmp_path: Path, said: str):
    with lock_on(tmp_path):
        (tmp_path / ProcessLock.FILE).write_text(said)
        with pytest.raises(AlreadyRunning, match="Find it with: fuser") as refused:
            lock_on(tmp_path).acquire()
    assert refused.value.pid is None
    assert "kill" not in str(refused.value)


def test_a_holder_that_is_gone_while_its_child_lives_is_explained(tmp_path: Path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with lock_on(tmp_path):
        (tmp_path / ProcessLock.FILE).write_text(f'{{"pid": {gone.pid}, "since": "2026-01-05T09:30:00+00:00"}}')
        with pytest.raises(AlreadyRunning, match="itself is gone"):
            lock_on(tmp_path).acquire()


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def no_locks(handle: int, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(LockUnavailable, match=r"cannot be locked: No locks available\. Put the data directory"):
        lock_on(tmp_path).acquire()
