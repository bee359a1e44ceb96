"""X6: A short run of the harness: the long ones are `make chaos N=500`."""

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

FIXED = 20
KILLS = 25


@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("venue", "seed"), [("A", FIXED), ("B", random.SystemRandom().randrange(2**31))], ids=["A-fixed", "B-random"]
)
def test_nothing_is_lost_duplicated_or_unknown_after_many_kills(venue: str, seed: int) -> None:
    """Rows 1 to 19 at random, both classes; the output names the seed."""
    argv = [sys.executable, "-m", "tests.path.chaos", "--n", str(KILLS), "--seed", str(seed), "--class", venue]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=110, cwd=Path(__file__).parents[2], check=False)
    last = done.stdout.splitlines()[-1] if done.stdout else ""
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"seed {seed}" in done.stdout
    assert re.fullmatch(rf"crashes {KILLS} intents \d+ orders \d+ lost 0 duplicated 0 unknown 0", last), last
