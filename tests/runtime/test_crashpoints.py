"""Named places where a test ends the process."""

import os
import signal
import subprocess
import sys

import pytest

PASSES = """
from nightdesk.runtime.crashpoints import arm, reached
{arm}
for n in range(5): print(n, flush=True); {call}
"""


def lived(call: str, *, crash_at: str = "", arm: str = "") -> tuple[int, str]:
    """How the process ended, and the last passage it printed."""
    done = subprocess.run(
        [sys.executable, "-c", PASSES.format(arm=arm, call=call)],
        env={**os.environ, "CRASH_AT": crash_at},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.split()[-1]


@pytest.mark.parametrize(
    ("crash_at", "ended"),
    [
        ("", (0, "4")),
        ("a", (-signal.SIGKILL, "0")),
        ("a:1", (-signal.SIGKILL, "0")),
        ("a:3", (-signal.SIGKILL, "2")),
        ("a:6", (0, "4")),
        ("b:1", (0, "4")),
        ("b:1,a:2", (-signal.SIGKILL, "1")),
    ],
)
def test_the_nth_passage_is_the_last(crash_at: str, ended: tuple[int, str]):
    assert lived("reached('a')", crash_at=crash_at) == ended


def test_a_point_is_armed_and_disarmed_from_within():
    assert lived("reached('a')", arm="arm('a:2')") == (-signal.SIGKILL, "1")
    assert lived("reached('a')", crash_at="a:2", arm="arm('')") == (0, "4")
    assert lived("reached('a')", crash_at="a:2", arm="arm('a:4')") == (-signal.SIGKILL, "3")


def test_nothing_is_run_on_the_way_out():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from nightdesk.runtime.crashpoints import reached\ntry: reached('a')\nfinally: print('cleaned up')",
        ],
        env={**os.environ, "CRASH_AT": "a"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
