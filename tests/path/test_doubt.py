"""Rows 16 to 19: answers that never come, come late or cannot be read, in both classes the paper exchange can play."""

import pytest

from tests.path.conftest import Open
from tests.path.scene import Scene, buy

pytestmark = [pytest.mark.crash, pytest.mark.parametrize("venue", ["A", "B"])]


def filled_once(scene: Scene) -> None:
    """The order was asked about and adopted: filled here and there, and taken once."""
    scene.until(lambda: scene.states() == ["FILLED NONE"])
    scene.clean()
    assert len(scene.lines("accept")) == 1


def test_an_order_taken_without_an_answer_is_found_and_adopted(open_scene: Open, venue: str) -> None:
    """Row 16."""
    scene = open_scene(venue)
    scene.fault("hang_after_accept")
    scene.start(buy("k"))
    filled_once(scene)
    assert scene.requests() == 1
    assert not scene.order().state.text.startswith("REJECTED")


def test_an_order_rejected_without_an_answer_is_found_rejected_with_the_reason(open_scene: Open, venue: str) -> None:
    """Row 17."""
    scene = open_scene(venue)
    scene.fault("reject_and_hang", text="not on a Friday")
    scene.start(buy("k"))
    scene.until(lambda: scene.states() == ["REJECTED NONE"])
    assert scene.order().state.text == "not on a Friday"
    scene.clean()
    assert scene.requests() == 1
    assert scene.lines("accept") == []


def test_an_order_taken_after_the_first_probe_knew_nothing_is_not_placed_twice(open_scene: Open, venue: str) -> None:
    """Row 18: class A may ask again under the same id, class B has to wait until the validity is over."""
    scene = open_scene(venue, orders__probe_after="0.05", orders__probe_interval="0.05")
    scene.fault("late_accept", delay=1.0)
    scene.start(buy("k"))
    scene.until(lambda: scene.rows("SELECT key FROM facts WHERE kind = 'NOT_FOUND'"))
    filled_once(scene)
    assert scene.requests() == (2 if venue == "A" else 1)


def test_an_order_that_arrives_after_its_validity_is_turned_away_and_then_placed_once(
    open_scene: Open, venue: str
) -> None:
    """Row 18, the other side: the late one is refused, so that the next attempt is the only one."""
    scene = open_scene(venue)
    scene.fault("late_accept", delay=2.5)
    scene.start(buy("k"))
    filled_once(scene)
    scene.until(lambda: [line["text"] for line in scene.lines("reject")] in ([], ["expired before receipt"]), 5.0)
    assert scene.requests() == 2


def test_a_request_that_never_arrived_is_sent_again_once_that_is_proven(open_scene: Open, venue: str) -> None:
    """Row 4 without a crash."""
    scene = open_scene(venue)
    scene.fault("lost_request")
    scene.start(buy("k"))
    filled_once(scene)
    assert scene.requests() == 1


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("lost_reply", True),
        ("garbage_200", True),
        ("garbage_200", False),
        ("http_500_html", True),
        ("http_500_html", False),
    ],
)
def test_an_answer_that_cannot_be_read_is_no_answer(open_scene: Open, venue: str, kind: str, taken: bool) -> None:
    """Rows 19 and 20: a reset in the answer, half a JSON text, a page of HTML; whether it was taken or not."""
    scene = open_scene(venue)
    scene.fault(kind, taken=taken)
    scene.start(buy("k"))
    filled_once(scene)
    assert scene.requests() == (1 if taken else 2)


def test_an_order_in_doubt_survives_kills_and_keeps_its_reservation(open_scene: Open, venue: str) -> None:
    """Rows 5 and 18: the desk dies while it waits for proof; the full quantity counts until there is some."""
    scene = open_scene(venue)
    scene.fault("late_accept", delay=1.2)
    pid = scene.start(buy("k"), orders__probe_after="5")
    scene.until(lambda: scene.states() == ["PENDING_NEW UNKNOWN"])
    assert scene.order().reserved_qty == scene.order().order.order_qty
    scene.kill(pid)
    scene.kill(scene.start())
    scene.start()
    filled_once(scene)
