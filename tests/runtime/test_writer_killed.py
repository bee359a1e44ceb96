"""Whatever was answered is there after the process was killed, and nothing is there that nobody asked for."""

import random

import pytest

from nightdesk.runtime.database import Database
from tests.runtime.starting import findings, victims, words_of, writing
from tests.runtime.victims import insert, keys_in

KILLS = {False: 200, True: 30}

pytestmark = pytest.mark.crash


def test_what_was_answered_survives_hundreds_of_kills_rows_1_2_13(database: Database):
    seed = random.randrange(1_000_000)
    print(f"replay with seed {seed}")
    kills = KILLS[database.postgres]
    found = findings("kill", *words_of(database), kills, seed)
    assert found["lost"] == [], f"seed {seed}"
    assert found["never_handed_over"] == [], f"seed {seed}"
    assert found["check"] == "ok", f"seed {seed}"
    # Every fourth died at a named point; the others anywhere. Both did work before.
    assert found["at_points"] == -(-kills // 4), f"seed {seed}"
    assert int(str(found["answered"])) > kills, f"seed {seed}"
    with writing(database) as writer:
        assert writer.run_blocking(insert, "afterwards") == "afterwards"


@pytest.mark.parametrize(
    ("point", "kept"), [("writer.before_commit", False), ("writer.after_commit", True)], ids=["before", "after"]
)
def test_a_kill_beside_the_commit_keeps_all_or_nothing_and_answers_nobody(database: Database, point: str, kept: bool):
    done = victims("write_once", *words_of(database), "the-key", crash_at=f"{point}:1")
    assert done.returncode == -9
    assert done.stdout == "handed over\n"
    assert keys_in(database) == ({"the-key"} if kept else set())
    # The sender's retry finds its row, or makes it: one row either way (rows 1 and 2).
    with writing(database) as writer:
        writer.call_blocking(
            lambda tx: tx.execute(
                "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", ("the-key", "x")
            )
        )
    assert keys_in(database) == {"the-key"}
