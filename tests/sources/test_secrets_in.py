"""Tokens are found and never kept; the digest is of what makes two bodies the same signal: K1, K3, row 72."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.sources.tradingview.body import read_body
from nightdesk.sources.tradingview.secrets_in import BLANK, blank, blank_unread

NAMES = [
    "token", "secret", "passphrase", "password", "key", "auth_key", "signalToken", "email_token", "webhook_secret",
    "apiKey", "api_secret", "Passphrase", "TOKEN", "license", "licence_id",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_token_under_any_usual_name_is_found_and_blanked_k1(name: str) -> None:
    found = blank(read_body(json.dumps({"symbol": "BTC-USD", name: "hush-hush"}).encode()))
    assert found.tokens == ("hush-hush",)
    assert "hush" not in found.text
    assert json.loads(found.text) == {"symbol": "BTC-USD", name: BLANK}


@pytest.mark.parametrize("name", ["idempotency_key", "token_address", "symbol", "keynote", "monkey"])
def test_other_names_hold_no_token(name: str) -> None:
    raw = json.dumps({name: "BTC-USD"}).encode()
    assert blank(read_body(raw)).tokens == ()
    assert blank(read_body(raw)).text == raw.decode()


def test_tokens_deep_inside_and_numbers_are_found() -> None:
    raw = b'{"a": [{"secret": 12345678}, [1], true, null], "data": {"key": "hush-hush"}, "n": 1.50, "x": ["12345678!"]}'
    found = blank(read_body(raw))
    assert found.tokens == ("12345678", "hush-hush")
    assert found.text == '{"a":[{"secret":"***"},[1],true,null],"data":{"key":"***"},"n":1.50,"x":["***!"]}'


def test_whatever_stands_below_a_secret_name_is_a_token() -> None:
    found = blank(
        read_body(b'{"auth": {"user": "someone-1", "all": [["hush-hush", ""], 5]}, "x": ["hush-hush", true]}')
    )
    assert found.tokens == ("someone-1", "hush-hush", "5")
    assert found.text == '{"auth":{"user":"***","all":[["***",""],"***"]},"x":["***",true]}'


@pytest.mark.parametrize(
    ("text", "token", "kept"),
    [
        ("symbol=BTC;TOKEN=hush-hush;side=buy", "hush-hush", "symbol=BTC;TOKEN=***;side=buy"),
        ("side=buy\nsecret: hush-hush\n", "hush-hush", "side=buy\nsecret: ***"),
        ("60123456789,buy,EURUSD,risk=1", "60123456789", "***,buy,EURUSD,risk=1"),
        ("side=buy, passphrase=ab", "ab", "side=buy, passphrase=***"),
        ('secret="hush hush" side=buy', "hush hush", "secret=*** side=buy"),
    ],
)
def test_tokens_in_text_are_found_and_blanked_k1(text: str, token: str, kept: str) -> None:
    found = blank(read_body(text.encode()))
    assert found.tokens == (token,)
    assert found.text == kept


def test_a_plain_text_has_no_token() -> None:
    assert blank(read_body(b"AAPL,buy,150.25,10")).tokens == ()


def test_a_body_that_could_not_be_read_is_blanked_by_its_looks() -> None:
    found = blank_unread(b'{"token": "hush-hush", "email_token":"more-hush", broken \xff\x00 hush-hush')
    assert "hush" not in found.text
    assert "\x00" not in found.text
    assert set(found.tokens) == {"hush-hush", "more-hush"}


def test_order_of_keys_spaces_and_a_new_token_do_not_make_another_signal_row_72() -> None:
    first = blank(read_body(b'{"symbol":"BTC","side":"buy","o":{"a":1,"b":[2]},"secret":"one-one-one"}'))
    second = blank(read_body(b'{ "secret": "two-two-two", "o": {"b": [2], "a": 1},\n"side": "buy", "symbol": "BTC" }'))
    assert first.digest == second.digest


def test_line_ends_and_outer_blanks_of_a_text_do_not_make_another_signal_row_72() -> None:
    first = blank(read_body(b"side=buy\r\nsymbol=BTC\r\ntoken=one"))
    second = blank(read_body(b"  side=buy \nsymbol=BTC\ntoken=two\n"))
    assert first.digest == second.digest


def test_another_value_makes_another_signal() -> None:
    digests = {
        blank(read_body(raw)).digest
        for raw in (b'{"size":"1"}', b'{"size":"2"}', b'{"size":1}', b"size=1", b"size=2", b'{"size":true}')
    }
    assert len(digests) == 6


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcdef", max_size=6), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text("abcdefgh_", max_size=8), values, max_size=6)
tokens = st.text('qrstuvwxyz0123456789!\\"é', min_size=8, max_size=30)


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *strings(item))]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [str(value)]


@given(objects, tokens, st.sampled_from(NAMES), st.booleans())
def test_blanking_leaves_no_token_behind(body: dict[str, object], token: str, name: str, inside: bool) -> None:
    body["data"] = {name: token, "echo": f"is {token} ok"} if inside else [{name: token}]
    body[name] = token
    found = blank(read_body(json.dumps(body, ensure_ascii=False).encode()))
    assert token in found.tokens
    assert not any(token in text for text in strings(json.loads(found.text)))


@given(objects, st.randoms(use_true_random=False))
def test_the_digest_does_not_know_the_order_of_keys_row_72(body: dict[str, object], shuffle: random.Random) -> None:
    def shuffled(value: object) -> object:
        if isinstance(value, dict):
            items = [(key, shuffled(item)) for key, item in value.items()]
            shuffle.shuffle(items)
            return dict(items)
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    first = json.dumps(body).encode()
    second = json.dumps(shuffled(body), indent=1).encode()
    assert blank(read_body(first)).digest == blank(read_body(second)).digest
