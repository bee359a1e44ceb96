"""The desk's own rows: facts about the installation, events in their order, cursors, the writer's place."""

import json

import pytest

from nightdesk.runtime import store
from nightdesk.runtime.database import Database, Tx
from tests.runtime.starting import opened, writing


def events(tx: Tx, account: str, first: int, last: int) -> None:
    """The account has events with these numbers."""
    rows = [
        store.event_row(account, seq, "operator", "order.accepted", f"c{seq}", 1_000 + seq, {"n": str(seq), "ü": "€"})
        for seq in range(first, last + 1)
    ]
    store.add_events(tx, rows)


def test_events_come_back_in_their_order_page_by_page(database: Database):
    with writing(database) as writer:
        writer.call_blocking(lambda tx: (events(tx, "b", 1, 3), events(tx, "a", 1, 25)))
        seen, after = [], 0
        while page := writer.call_blocking(lambda tx, after=after: store.events_after(tx, "a", after, 10)):
            assert len(page) <= 10
            seen += page
            after = page[-1].seq
    assert [event.seq for event in seen] == list(range(1, 26))
    assert {event.account_id for event in seen} == {"a"}
    assert json.loads(seen[4].data) == {"n": "5", "ü": "€"}
    assert (seen[4].cl_ord_id, seen[4].at, seen[4].topic, seen[4].owner_id) == (
        "c5", 1_005, "order.accepted", "operator",
    )  # fmt: skip


def test_a_number_is_given_to_one_event_only(database: Database):
    with writing(database) as writer:
        writer.call_blocking(lambda tx: events(tx, "a", 1, 2))
        with pytest.raises(Exception, match=r"(?i)unique"):
            writer.call_blocking(lambda tx: events(tx, "a", 2, 3))
        assert [event.seq for event in writer.call_blocking(lambda tx: store.events_after(tx, "a", 0, 9))] == [1, 2]
        assert not writer.failing


def test_a_cursor_moves_with_what_was_done_about_the_events(database: Database):
    with writing(database) as writer:
        assert writer.call_blocking(lambda tx: store.cursor(tx, "mail", "a")) == 0

        def deal(tx: Tx, upto: int, *, fail: bool = False) -> None:
            store.move_cursor(tx, "mail", "a", upto)
            if fail:
                raise ValueError("the effect failed")
            store.replace_remembered(tx, "effect", str(upto))

        writer.call_blocking(lambda tx: deal(tx, 3))
        with pytest.raises(ValueError, match="effect"):
            writer.call_blocking(lambda tx: deal(tx, 7, fail=True))
        assert writer.call_blocking(lambda tx: store.cursor(tx, "mail", "a")) == 3
        writer.call_blocking(lambda tx: deal(tx, 9))
        assert writer.call_blocking(lambda tx: store.cursor(tx, "mail", "a")) == 9
        # Other consumers and other accounts have their own.
        assert writer.call_blocking(lambda tx: store.cursor(tx, "mail", "b")) == 0
        assert writer.call_blocking(lambda tx: store.cursor(tx, "hook", "a")) == 0
        assert writer.call_blocking(lambda tx: store.remember(tx, "effect", "-")) == "9"


def test_what_was_remembered_first_stays(database: Database):
    with writing(database) as writer:
        assert writer.call_blocking(lambda tx: store.remember(tx, "install", "one")) == "one"
        assert writer.call_blocking(lambda tx: store.remember(tx, "install", "two")) == "one"
        writer.call_blocking(lambda tx: store.replace_remembered(tx, "install", "three"))
        assert writer.call_blocking(lambda tx: store.remember(tx, "install", "two")) == "three"


def test_a_place_is_made_taken_touched_and_left(database: Database):
    with opened(database) as connection:
        tx = connection.begin()
        assert store.place(tx, "desk") == (0, 0, "", 0)
        now = connection.now_micros()
        store.take_place(tx, "desk", 1, "here:1", now + 5_000_000)
        assert store.place(tx, "desk") == (1, 0, "here:1", now + 5_000_000)
        assert store.touch_place(tx, "desk", 1, 7, 9_000_000)
        fence, batch, holder, lease_until = store.place(tx, "desk")
        assert (fence, batch, holder) == (1, 7, "here:1")
        if database.postgres:
            assert abs(lease_until - now - 9_000_000) < 1_000_000
            assert store.living_holder(tx) == "here:1"
        assert not store.touch_place(tx, "desk", 0, 8, 9_000_000)
        store.leave_place(tx, "desk", 0)
        assert store.place(tx, "desk")[2] == "here:1"
        store.leave_place(tx, "desk", 1)
        assert store.place(tx, "desk") == (1, 7, "", 0)
        store.close_places(tx)
        assert store.place(tx, "desk") == (2, 7, "", 0)
        if database.postgres:
            assert store.living_holder(tx) is None
        connection.rollback()
