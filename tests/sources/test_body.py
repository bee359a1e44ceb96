"""Reading bytes: rows 75 to 77 of the faults, K2."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.sources.tradingview.body import MAX_BYTES, Body, BodyKind, read_body


def refused(raw: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        read_body(raw)
    return caught.value


def test_json_is_read_whatever_its_content_type_says_row_77() -> None:
    body = read_body(b'\xef\xbb\xbf {"symbol": "BTC-USD", "size": 0.10}\r\n')
    assert body.kind is BodyKind.JSON
    assert body.fields == {"symbol": "BTC-USD", "size": "0.10"}
    assert body.notes == ()


def test_anything_that_does_not_start_like_json_is_text_row_77() -> None:
    assert read_body(b"\xef\xbb\xbfsymbol=BTC\r\n") == Body(BodyKind.TEXT, "symbol=BTC", {})
    assert read_body(b'"buy"').kind is BodyKind.TEXT


def test_latin_1_is_read_with_a_note_row_77() -> None:
    body = read_body('{"symbol": "BTC-USD", "comment": "Zürich"}'.encode("latin-1"))
    assert body.fields["comment"] == "Zürich"
    assert "Latin-1" in body.notes[0]


def test_a_comment_may_hold_line_ends_and_any_language() -> None:
    body = read_body('{"comment": "one\ntwo\t三 👩‍👩‍👧", "other": "\\ud83d\\ude00"}'.encode())
    assert body.fields == {"comment": "one\ntwo\t三 👩‍👩‍👧", "other": "😀"}


@pytest.mark.parametrize(
    ("raw", "code", "field"),
    [
        pytest.param(b"", DenyCode.INVALID_SIGNAL, None, id="nothing"),
        pytest.param(b" \r\n\t", DenyCode.INVALID_SIGNAL, None, id="blanks"),
        pytest.param(b"x" * (MAX_BYTES + 1), DenyCode.BODY_TOO_LARGE, None, id="too large"),
        pytest.param(b"[" * 8_000, DenyCode.BODY_TOO_DEEP, None, id="brackets"),
        pytest.param(b'{"a":' * 3_000 + b"1", DenyCode.BODY_TOO_DEEP, None, id="braces"),
        pytest.param(b'{"a":' * 17 + b"1" + b"}" * 17, DenyCode.BODY_TOO_DEEP, None, id="seventeen levels"),
        pytest.param(b"[1, 2]", DenyCode.INVALID_SIGNAL, None, id="list"),
        pytest.param(b'{"size": 1, "size": 2}', DenyCode.FIELD_INVALID, "size", id="twice"),
        pytest.param(b'{"o": {"a": 1, "b": 2, "a": 1}}', DenyCode.FIELD_INVALID, "a", id="twice inside"),
        pytest.param(b'{"size": NaN}', DenyCode.FIELD_INVALID, "size", id="NaN"),
        pytest.param(b'{"o": {"size": -Infinity}}', DenyCode.FIELD_INVALID, "o.size", id="Infinity"),
        pytest.param(b'{"a": {"b": [' + b"7" * 41 + b"]}}", DenyCode.FIELD_INVALID, "a.b", id="41 digits"),
        pytest.param(b'{"size": ' + b"7" * 5_000 + b"}", DenyCode.FIELD_INVALID, "size", id="5000 digits"),
        pytest.param(b'{"size": 0.' + b"1" * 40 + b"}", DenyCode.FIELD_INVALID, "size", id="41 digits with a point"),
        pytest.param(b'{"side": "\\ud800"}', DenyCode.FIELD_INVALID, "side", id="lone surrogate"),
        pytest.param(b'{"\\udfff": 1}', DenyCode.FIELD_INVALID, "?", id="lone surrogate in a name"),
        pytest.param(b'{"side": "buy\\u0000"}', DenyCode.FIELD_INVALID, "side", id="NUL escaped"),
        pytest.param(b'{"side": "b\x00uy"}', DenyCode.FIELD_INVALID, "side", id="NUL"),
        pytest.param(b'{"side": "b\\buy"}', DenyCode.FIELD_INVALID, "side", id="backspace"),
        pytest.param('{"c": "\u202eyub"}'.encode(), DenyCode.FIELD_INVALID, "c", id="bidi"),
        pytest.param("side=buy\u2066".encode(), DenyCode.FIELD_INVALID, "body", id="bidi in text"),
        pytest.param(b"side\x00=buy", DenyCode.FIELD_INVALID, "body", id="NUL in text"),
        pytest.param("buy".encode("utf-16"), DenyCode.FIELD_INVALID, "body", id="UTF-16"),
        pytest.param(b"\x1f\x8b\x08\x00garbage", DenyCode.FIELD_INVALID, "body", id="gzip"),
        pytest.param(b'{"size": 1,}', DenyCode.INVALID_SIGNAL, "body", id="trailing comma"),
        pytest.param(b'{"size": 1} and more', DenyCode.INVALID_SIGNAL, "body", id="more behind"),
        pytest.param(b'{"size": {{plot_0}}}', DenyCode.PLACEHOLDER_UNFILLED, "size", id="bare placeholder"),
        pytest.param(b"{{strategy.order.alert_message}}", DenyCode.PLACEHOLDER_UNFILLED, "body", id="only one"),
    ],
)
def test_hostile_bodies_are_refused_with_code_and_field_rows_75_76(
    raw: bytes, code: DenyCode, field: str | None
) -> None:
    found = refused(raw)
    assert (found.code, found.field) == (code, field)
    assert found.text


def test_sixteen_levels_are_read_row_76() -> None:
    assert read_body(b'{"a":' * 16 + b"1" + b"}" * 16).kind is BodyKind.JSON


def test_brackets_inside_text_are_no_levels_row_76() -> None:
    body = read_body(b'{"comment": "' + b"[{" * 100 + b'\\"", "list": [[], {}]}')
    assert str(body.fields["comment"]).startswith("[{[{")


def test_forty_digits_are_read_and_long_text_of_digits_too() -> None:
    body = read_body(b'{"n": ' + b"7" * 40 + b', "text": "' + b"7" * 60 + b'"}')
    assert body.fields == {"n": "7" * 40, "text": "7" * 60}


def test_an_error_in_json_shows_no_secret() -> None:
    found = refused(b'{"secret": "hush-hush-hush" "side": "buy"}')
    assert "hush" not in found.text
    assert "line 1" in found.text


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_row_76(raw: bytes) -> None:
    with contextlib.suppress(Refused):
        assert read_body(raw).text


@pytest.mark.parametrize(
    "raw",
    [
        b'{"' + b'\\"' * 8_000,
        b"{" + b'"a":"' * 2_000,
        b"[" * 17 + b'"\\' * 5_000,
        b'{"a":' + b"1" * 16_000,
        b"{" * 16_000,
        b'{"k":"' + b"{{" * 8_000 + b'"',
    ],
)
def test_the_worst_bodies_take_bounded_time_row_76(raw: bytes) -> None:
    began = time.perf_counter()
    refused(raw)
    assert time.perf_counter() - began < 0.25
