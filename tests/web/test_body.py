"""Bodies, forms and queries, bounded."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.runtime.clock import SystemClock, VirtualClock
from nightdesk.web.body import SenderGone, read_bounded, read_form, read_query
from nightdesk.web.problems import Problem


def sending(*parts: bytes | None) -> Any:
    """A receive that hands out these parts; None is the end of the connection."""
    waiting = list(parts)

    async def receive() -> dict[str, Any]:
        part = waiting.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(waiting)}

    return receive


async def read(*parts: bytes | None, declared: bytes | None = None) -> bytes:
    return await read_bounded(sending(*parts), declared=declared, clock=SystemClock(), most=10, seconds=1.0)


async def test_a_body_in_parts_is_one_body() -> None:
    assert await read(b"ab", b"", b"cd") == b"abcd"
    assert await read(b"") == b""


@pytest.mark.parametrize("declared", [b"11", b"999999999999999999999999", b"1000000000"])
async def test_row_75_a_declared_length_beyond_the_limit_is_refused_before_a_byte_is_read(declared: bytes) -> None:
    with pytest.raises(Problem) as caught:
        await read(declared=declared)
    assert (caught.value.status, caught.value.headers["connection"]) == (413, "close")


async def test_a_length_that_is_no_number_is_not_believed() -> None:
    assert await read(b"ab", declared=b"-5") == b"ab"


async def test_row_75_reading_stops_at_the_limit() -> None:
    with pytest.raises(Problem, match="more than 10"):
        await read(b"x" * 6, b"x" * 6, b"never read")


async def test_a_sender_that_goes_is_not_answered() -> None:
    with pytest.raises(SenderGone):
        await read(b"ab", None)


async def test_row_75_a_body_that_takes_too_long_is_408() -> None:
    clock = VirtualClock()

    async def drip() -> dict[str, Any]:
        await clock.sleep(4.0)
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(Problem, match="2 bytes had") as caught:
        await read_bounded(drip, declared=None, clock=clock, most=100, seconds=10.0)
    assert caught.value.status == 408


def test_a_form_and_a_query_are_read_with_their_escapes() -> None:
    assert read_form(b"a=1&b=x+y%20z&a=2&empty=") == {"a": "2", "b": "x y z", "empty": ""}
    assert read_query(b"a=1&a=2&b=%C3%A9") == {"a": "1", "b": "é"}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_a_problem(raw: bytes) -> None:
    for read_it in (read_form, read_query):
        try:
            found = read_it(raw)
        except Problem as problem:
            assert problem.status == 400  # noqa: PT017 - either outcome is fine, a third one is not
        else:
            assert all(isinstance(each, str) for pair in found.items() for each in pair)


def test_s21_a_thousand_fields_are_refused() -> None:
    with pytest.raises(Problem):
        read_query(b"&".join(b"a%d=1" % i for i in range(1000)))
