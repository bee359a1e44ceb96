"""Rows 52 and 53: cancels go out while the database takes no writes."""

import json
from pathlib import Path

import pytest

from nightdesk.model.enums import OrdStatus
from nightdesk.model.errors import OutcomeUnknown
from nightdesk.orders.emergency import FILE_NAME, Emergency
from nightdesk.runtime.clock import VirtualClock
from tests.fakes import FakeVenue
from tests.samples import MAIN, an_order


async def test_a_cancel_goes_out_unrecorded_and_is_noted_in_a_file(tmp_path: Path) -> None:
    clock = VirtualClock()
    venue, order = FakeVenue(clock), an_order()
    venue.place(order)

    assert await Emergency(tmp_path, {MAIN: venue}, clock).cancel(order, "operator")

    assert venue.orders[order.cl_ord_id].status is OrdStatus.CANCELED
    line = json.loads((tmp_path / FILE_NAME).read_text())
    assert (line["cl_ord_id"], line["action"], line["actor"]) == (order.cl_ord_id, "cancel", "operator")


async def test_a_directory_that_takes_no_file_does_not_stop_the_cancel(tmp_path: Path) -> None:
    clock = VirtualClock()
    venue, order = FakeVenue(clock), an_order()
    venue.place(order)

    assert await Emergency(tmp_path / "gone", {MAIN: venue}, clock).cancel(order, "operator")
    assert venue.orders[order.cl_ord_id].status is OrdStatus.CANCELED


async def test_a_venue_that_does_not_answer_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock()
    venue, order = FakeVenue(clock), an_order()
    venue.down = OutcomeUnknown("no answer")

    assert not await Emergency(tmp_path, {MAIN: venue}, clock).cancel(order, "operator")
    assert "emergency.cancel_unanswered" in caplog.text
