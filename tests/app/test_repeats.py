"""One alert is one order, however often, from wherever and after whatever it comes again (K3, rows 69, 72, 73, 79)."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.app.desks import Desk, desk

BUY = {"symbol": "BTC-USD", "side": "buy", "size": "0.001"}


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk that is killed and started again."""
    with desk(Path(tmp_path_factory.mktemp("lone"))) as one:
        yield one


def alike(**fields: Any) -> dict[str, Any]:
    return BUY | fields


def orders_of(running: Desk, signal_id: str) -> int:
    return len(running.signal(signal_id)["orders"])


def test_k3_row_69_the_same_alert_within_the_window_is_answered_with_the_first_ones_id(many: Desk) -> None:
    first = many.alert(alike(comment="row 69"))
    again = many.alert(alike(comment="row 69"))
    assert (first.status, again.status, again.code) == (202, 200, "DUPLICATE_SIGNAL")
    assert again.signal_id == first.signal_id
    assert [each["cl_ord_id"] for each in again.fields["orders"]] == [
        each["cl_ord_id"] for each in first.fields["orders"]
    ]
    assert orders_of(many, first.signal_id) == 1
    repeats = [line for line in many.get("/api/signals?outcome=DUPLICATE")["signals"]]
    assert first.signal_id in {line["first_signal_id"] for line in repeats}


def test_k3_row_72_the_order_of_keys_and_spaces_make_no_other_alert(many: Desk) -> None:
    fields = alike(comment="row 72")
    first = many.alert(json.dumps(fields))
    turned = many.alert(json.dumps(dict(reversed(fields.items())), indent=3))
    assert (first.status, turned.status, turned.signal_id) == (202, 200, first.signal_id)


def test_k3_rows_70_71_the_window_slides_from_the_first_and_is_not_made_longer_by_repeats(many: Desk) -> None:
    body = alike(comment="rows 70 and 71")
    first = many.alert(body, hook="brief")
    began = time.monotonic()
    time.sleep(0.7)
    assert many.alert(body, hook="brief").signal_id == first.signal_id
    time.sleep(max(0.0, began + 1.1 - time.monotonic()))
    later = many.alert(body, hook="brief")
    assert (later.status, later.signal_id != first.signal_id) == (202, True)


def test_k3_another_size_is_another_alert(many: Desk) -> None:
    assert many.alert(alike(comment="sizes", size="0.001")).status == 202
    assert many.alert(alike(comment="sizes", size="0.002")).status == 202


def test_k3_what_was_refused_may_come_again_and_is_judged_anew(many: Desk) -> None:
    answers = [many.alert(alike(size="7", comment="refused twice")) for _ in range(2)]
    assert [each.code for each in answers] == ["SIZE_ABOVE_HOOK_MAXIMUM"] * 2
    assert answers[0].signal_id != answers[1].signal_id


def test_row_79_fifty_posts_at_once_with_one_key_are_one_order(many: Desk) -> None:
    body = alike(comment="row 79")

    def post(_: int) -> tuple[int, str]:
        answer = many.alert(body, headers={"Idempotency-Key": "row-79"})
        return answer.status, answer.signal_id

    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(post, range(50)))
    assert Counter(status for status, _ in answers) == {202: 1, 200: 49}
    (signal_id,) = {signal_id for _, signal_id in answers}
    (order,) = many.ended(signal_id)
    assert (order["ord_status"], order["cum_qty"]) == ("FILLED", "0.001")


def test_row_79_one_key_with_another_body_is_refused(many: Desk) -> None:
    assert many.alert(alike(comment="first"), headers={"Idempotency-Key": "row-79-b"}).status == 202
    other = many.alert(alike(comment="second"), headers={"Idempotency-Key": "row-79-b"})
    assert (other.status, other.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert many.signal(other.signal_id)["outcome"] == "REFUSED"


def test_x9_a_double_click_is_one_order(many: Desk) -> None:
    asked = {**BUY, "id": "clicked twice", "venues": ["paper"]}
    first, again = (many.api("POST", "/api/orders", asked) for _ in range(2))
    assert (first.status, again.status, again.signal_id) == (202, 200, first.signal_id)
    (order,) = many.ended(first.signal_id)
    assert (order["source"], order["ord_status"]) == ("person", "FILLED")


@pytest.mark.crash
def test_k3_rows_72_73_after_kill_9_a_repeat_is_still_known(lone: Desk) -> None:
    plain, named = alike(comment="before the kill"), alike(id="named before the kill")
    first, other = lone.alert(plain), lone.alert(named)
    assert (first.status, other.status) == (202, 202)
    lone.kill()
    lone.start()
    for body, before in ((plain, first), (named, other)):
        again = lone.alert(body)
        assert (again.status, again.code, again.signal_id) == (200, "DUPLICATE_SIGNAL", before.signal_id)
        (order,) = lone.ended(before.signal_id)
        assert order["ord_status"] == "FILLED"
    held = lone.held("tradingview")
    assert held == {("paper", "BTC-USD"): f"{0.001 * len(_filled(lone)):.3f}"}


def _filled(running: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = running.get("/api/orders?status=FILLED&limit=500")["orders"]
    return found


@pytest.mark.crash
def test_x11_the_audit_chain_is_whole_after_kill_9(lone: Desk) -> None:
    lone.kill()
    lone.start()
    done = lone.command_line("audit", "verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert "The audit chain is whole" in done.stdout
