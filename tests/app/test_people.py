"""What a person does at a running desk: approve, decline, carry out by hand, halt and resume (K14, X9, X11)."""

from typing import Any

import pytest

from tests.app.desks import Desk, wait_for

ASK = {"symbol": "ETH-USD", "side": "buy", "size": "0.1"}


def held_order(many: Desk, comment: str) -> dict[str, Any]:
    """An order that waits for a person."""
    answer = many.alert({**ASK, "comment": comment}, hook="held")
    assert answer.status == 202
    (order,) = many.signal(answer.signal_id)["orders"]
    assert (order["ord_status"], order["cum_qty"]) == ("HELD", "0")
    return dict(order)


def by_hand(many: Desk, comment: str, **more: Any) -> dict[str, Any]:
    """An order that a person has to carry out, once it has come to them."""
    answer = many.alert({**ASK, "comment": comment, **more}, hook="by_hand")
    wait_for(lambda: many.signal(answer.signal_id)["orders"][0]["ord_status"] == "NEW", "the order to be handed over")
    return dict(many.signal(answer.signal_id)["orders"][0])


def settle(many: Desk, order: dict[str, Any], **answer: str) -> int:
    return many.api("POST", f"/api/orders/{order['cl_ord_id']}/settle", answer).status


def test_x9_an_approved_order_is_sent_and_filled(many: Desk) -> None:
    order = held_order(many, "approve this")
    needs = {each["subject"] for each in many.get("/api/status")["needs_you"]}
    assert order["cl_ord_id"] in needs
    assert settle(many, order, action="approve") == 200
    (done,) = many.ended(order["signal_id"])
    assert (done["ord_status"], done["cum_qty"]) == ("FILLED", "0.1")
    assert settle(many, order, action="approve") == 409


def test_x9_a_declined_order_never_leaves(many: Desk) -> None:
    order = held_order(many, "decline this")
    assert settle(many, order, action="decline", text="not tonight") == 200
    (done,) = many.ended(order["signal_id"])
    assert (done["ord_status"], done["code"], done["order_id"]) == ("DENIED", "DECLINED", None)
    assert settle(many, order, action="approve") == 409


def test_an_order_carried_out_by_hand_ends_as_the_person_says_and_counts_once(many: Desk) -> None:
    before = float(many.held("by_hand").get(("hand", "ETH-USD"), "0"))
    order = by_hand(many, "filled by hand")
    path = f"/api/orders/{order['cl_ord_id']}"
    said = {"action": "filled", "qty": "0.1", "px": "3000"}
    first = many.api("POST", f"{path}/settle", said)
    assert (first.status, first.fields["ord_status"], first.fields["avg_px"]) == (200, "FILLED", "3000")
    again = many.api("POST", f"{path}/settle", said)
    assert (again.fields["ord_status"], again.fields["cum_qty"]) == ("FILLED", "0.1")
    assert float(many.held("by_hand")[("hand", "ETH-USD")]) == pytest.approx(before + 0.1)
    (fill,) = [each for each in many.get("/api/executions?limit=500")["executions"] if each["cl_ord_id"] in path]
    assert (fill["last_qty"], fill["last_px"], fill["venue"]) == ("0.1", "3000", "hand")


def test_an_order_by_hand_that_was_not_done_leaves_no_position(many: Desk) -> None:
    before = many.held("by_hand")
    order = by_hand(many, "not done")
    assert settle(many, order, action="rejected", text="the broker was closed") == 200
    (done,) = many.ended(order["signal_id"])
    assert (done["ord_status"], done["text"]) == ("REJECTED", "the broker was closed")
    assert many.held("by_hand") == before


def test_an_order_by_hand_may_be_filled_in_parts(many: Desk) -> None:
    order = by_hand(many, "in two parts")
    assert settle(many, order, action="filled", qty="0.04", px="3000") == 200
    (now,) = many.signal(order["signal_id"])["orders"]
    assert (now["ord_status"], now["leaves_qty"]) == ("PARTIALLY_FILLED", "0.06")
    assert settle(many, order, action="filled", qty="0.06", px="3100") == 200
    (done,) = many.ended(order["signal_id"])
    assert (done["ord_status"], done["cum_qty"], done["avg_px"]) == ("FILLED", "0.1", "3060")


def test_a_machines_order_takes_no_answer_by_hand(many: Desk) -> None:
    answer = many.alert({**ASK, "comment": "a machine's"}, hook="own", wait="10")
    said = many.api(
        "POST",
        f"/api/orders/{answer.fields['results'][0]['cl_ord_id']}/settle",
        {"action": "filled", "qty": "1", "px": "1"},
    )
    assert said.status in (409, 422)


def test_k14_a_trial_takes_the_same_path_and_is_marked_to_the_last_fill(many: Desk) -> None:
    answer = many.alert({**ASK, "comment": "a trial"}, hook="trial", wait="10")
    assert answer.fields["status"] == "success"
    kept = many.signal(answer.signal_id)
    (order,) = kept["orders"]
    fills = [
        each for each in many.get("/api/executions?limit=500")["executions"] if each["signal_id"] == answer.signal_id
    ]
    assert (kept["test"], order["test"], {each["test"] for each in fills}) == (True, True, {True})
    real = many.alert({**ASK, "comment": "no trial"}, hook="own", wait="10")
    assert many.signal(real.signal_id)["test"] is False


def test_a_halt_denies_new_exposure_keeps_exits_and_ends_in_two_steps(many: Desk) -> None:
    assert many.alert({**ASK, "comment": "before the halt"}, hook="own", wait="10").fields["status"] == "success"
    try:
        assert many.api("POST", "/api/halt", {"reason": "tests"}).status == 200
        denied = many.alert({**ASK, "comment": "while halted"}, hook="own")
        assert (denied.status, denied.code) == (422, "HALTED")
        closed = many.alert({"symbol": "ETH-USD", "side": "close", "comment": "way out"}, hook="own", wait="10")
        assert closed.fields["status"] == "success"
        assert many.api("POST", "/api/resume", {"confirm": "000000"}).status == 403
        assert many.get("/api/status")["halted"] is True
    finally:
        code = many.api("POST", "/api/resume", {}).fields["confirm"]
        resumed = many.api("POST", "/api/resume", {"confirm": code})
    assert (resumed.status, resumed.fields["halted"]) == (200, False)
    assert many.alert({**ASK, "comment": "after the halt"}, hook="own").status == 202
