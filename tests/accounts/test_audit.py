"""The audit chain: each line is sealed over the one before, so that no edit goes unseen (S34)."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from nightdesk.accounts import audit
from nightdesk.accounts.store import last_line, lines_after
from nightdesk.runtime.database import Database, Tx

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


@pytest.fixture
def tx(database: Database) -> Iterator[Tx]:
    """An open transaction that nothing is kept of."""
    connection = database.connect()
    yield connection.begin()
    connection.rollback()
    connection.close()


def write(tx: Tx, count: int) -> None:
    for number in range(count):
        audit.note(tx, actor=f"actor {number}", action="did", subject=f"ünï {number}", detail='"quoted"', now=NOW)


def test_an_empty_chain_is_whole(tx: Tx) -> None:
    assert last_line(tx) is None
    assert audit.first_broken(tx) is None


def test_lines_are_numbered_and_sealed_over_the_line_before(tx: Tx) -> None:
    write(tx, 3)

    first, second, third = lines_after(tx, 0, 10)
    assert [line.seq for line in (first, second, third)] == [1, 2, 3]
    assert first.previous == audit.GENESIS
    assert (second.previous, third.previous) == (first.hash, second.hash)
    assert last_line(tx) == third
    assert len({first.hash, second.hash, third.hash}) == 3
    assert audit.first_broken(tx) is None


def test_a_note_gives_back_its_line(tx: Tx) -> None:
    line = audit.note(tx, actor="a", action="b", now=NOW)

    assert line == last_line(tx)
    assert (line.subject, line.detail, line.at) == ("", "", 1767605400000000)


@pytest.mark.parametrize("field", ["at", "actor", "action", "subject", "detail", "previous", "hash"])
@pytest.mark.parametrize("seq", [1, 3, 5])
def test_an_edited_line_is_found(tx: Tx, field: str, seq: int) -> None:
    write(tx, 5)

    tx.execute(f"UPDATE audit SET {field} = ? WHERE seq = ?", (1 if field == "at" else "x", seq))

    assert audit.first_broken(tx) == seq


@pytest.mark.parametrize("seq", [1, 3])
def test_a_removed_line_is_found(tx: Tx, seq: int) -> None:
    write(tx, 5)

    tx.execute("DELETE FROM audit WHERE seq = ?", (seq,))

    assert audit.first_broken(tx) == seq


def test_a_removed_line_is_found_though_the_rest_moved_up(tx: Tx) -> None:
    write(tx, 5)

    tx.execute("DELETE FROM audit WHERE seq = 3")
    for seq in (4, 5):
        tx.execute("UPDATE audit SET seq = ? WHERE seq = ?", (seq - 1, seq))

    assert audit.first_broken(tx) == 3


def test_two_lines_that_changed_places_are_found(tx: Tx) -> None:
    write(tx, 4)

    for old, new in ((2, 99), (3, 2), (99, 3)):
        tx.execute("UPDATE audit SET seq = ? WHERE seq = ?", (new, old))

    assert audit.first_broken(tx) == 2


def test_a_line_put_in_is_found(tx: Tx) -> None:
    """Even one that is sealed as it should be: the lines behind it do not fit any more."""
    write(tx, 4)
    for seq in (4, 3):
        tx.execute("UPDATE audit SET seq = ? WHERE seq = ?", (seq + 1, seq))
    second = lines_after(tx, 1, 1)[0]
    sealed = audit.seal(3, 1, "me", "did", "", "", second.hash)
    tx.execute(
        "INSERT INTO audit (seq, at, actor, action, subject, detail, previous, hash) VALUES (3,1,'me','did','','',?,?)",
        (second.hash, sealed),
    )

    assert audit.first_broken(tx) == 4


def test_an_edit_with_a_new_seal_breaks_the_line_behind_it(tx: Tx) -> None:
    write(tx, 4)
    second = lines_after(tx, 1, 1)[0]
    sealed = audit.seal(2, second.at, "somebody else", second.action, second.subject, second.detail, second.previous)

    tx.execute("UPDATE audit SET actor = 'somebody else', hash = ? WHERE seq = 2", (sealed,))

    assert audit.first_broken(tx) == 3


def test_an_edit_with_two_lines_made_to_fit_breaks_at_the_second(tx: Tx) -> None:
    """The seal of a line covers the one before, so that mending the link is an edit as well."""
    write(tx, 4)
    second = lines_after(tx, 1, 1)[0]
    sealed = audit.seal(2, second.at, "somebody else", second.action, second.subject, second.detail, second.previous)

    tx.execute("UPDATE audit SET actor = 'somebody else', hash = ? WHERE seq = 2", (sealed,))
    tx.execute("UPDATE audit SET previous = ? WHERE seq = 3", (sealed,))

    assert audit.first_broken(tx) == 3


def test_a_chain_longer_than_a_page_is_walked_to_its_end(tx: Tx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_PAGE", 3)
    write(tx, 10)

    assert audit.first_broken(tx) is None
    tx.execute("UPDATE audit SET actor = 'x' WHERE seq = 10")
    assert audit.first_broken(tx) == 10


def test_the_seal_tells_fields_apart() -> None:
    """Moving a character from one field to the next is an edit."""
    assert audit.seal(1, 1, "ab", "c", "", "", "") != audit.seal(1, 1, "a", "bc", "", "", "")
    assert audit.seal(1, 1, "a", "b", "c", "", "") != audit.seal(1, 1, "a", "b", "", "c", "")
