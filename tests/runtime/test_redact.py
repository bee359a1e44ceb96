"""Secrets out of texts and values: by name, by value, by place (W12, row 95)."""

import json
import urllib.parse
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.runtime.redact import MASK, Redactor

OTHER = "Unregistered0Value"
KEYS = "token X-Webhook-Token secret client_secret Authorization password passphrase api_key apiKey API-Key signature"
KEYS += " private_key privateKey cookie Set-Cookie access_token refreshToken PASSWD mnemonic credentials"


@pytest.mark.parametrize("key", KEYS.split())
@pytest.mark.parametrize("value", [OTHER, [OTHER], {"a": OTHER}, OTHER.encode(), 12345678])
def test_a_field_with_a_telling_name_is_masked_whatever_it_holds_row_95(key: str, value: object):
    assert Redactor().value({"outer": [{key: value}]}) == {"outer": [{key: MASK}]}


@pytest.mark.parametrize("key", ["symbol", "cl_ord_id", "idempotency_key", "price", "key", "author", "seed", "design"])
def test_other_fields_are_left_alone(key: str):
    assert Redactor().value({key: "BTC-USD"}) == {key: "BTC-USD"}


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://user:{}@db/x",
        "postgresql://user:a@{}@db/x",
        "https://{}@host/path",
        "POST /api/webhook/{} 401",
        "Authorization: Bearer {}",
        "{{'authorization': 'Basic {}'}}",
        "got bearer {}",
        '{{"token": "{}"}}',
        '{{"token" : "a \\" {}"}}',
        "{{'passphrase': '{}', 'symbol': 'BTC-USD'}}",
        "?token={}&symbol=BTC-USD",
        "api_key={}; x=1",
        "X-Webhook-Token: {}",
        "NIGHTDESK_OPERATOR_TOKEN={}",
        "Cookie: session={}; theme={}",
        "signature={}",
    ],
)
def test_a_secret_nobody_registered_is_masked_where_secrets_stand_row_95(text: str):
    redacted = Redactor().text(text.format(OTHER, OTHER))
    assert OTHER not in redacted
    assert MASK in redacted


def test_plain_texts_stay_as_they_are():
    for text in ("order c-1 sent to paper", "https://desk.example/api/webhook", "basic authentication", "tokens: 5"):
        assert Redactor().text(text) == text


def test_the_rest_of_a_url_is_kept():
    assert Redactor().text("postgresql://u:p@db:5432/x?a=b") == f"postgresql://{MASK}@db:5432/x?a=b"


def test_a_secret_that_begins_with_another_leaves_no_tail():
    redactor = Redactor()
    redactor.register("abcdefgh")
    redactor.register("abcdefgh-longer")
    assert redactor.text("x abcdefgh-longer y abcdefgh z") == f"x {MASK} y {MASK} z"


def test_a_value_too_short_to_tell_from_words_is_not_masked():
    redactor = Redactor()
    redactor.register("buy")
    assert redactor.text("buy BTC") == "buy BTC"


@given(st.text(min_size=6), st.text(), st.text())
def test_a_registered_value_never_comes_out_row_95(secret: str, before: str, after: str):
    redactor = Redactor()
    redactor.register(secret)
    if secret not in MASK * 3:
        assert secret not in redactor.text(before + secret + after).replace(MASK, "")


@pytest.mark.parametrize("text", ['s3cret-with"quote', "back\\slash-x", "pässwörd-ü", "a\nb-secret", "it's-secret"])
def test_every_spelling_of_a_secret_is_masked_row_95(text: str):
    redactor = Redactor()
    redactor.register(text)
    for spelled in (text, repr(text), repr(text.encode()), json.dumps(text), urllib.parse.quote(text), f"{[text]}"):
        assert text[:5] not in redactor.text(spelled)
        assert text[-5:] not in redactor.text(spelled)


@pytest.mark.parametrize("piece", ["token", "a-", "a_", "token=", "://", "a://b", "bearer ", '"', "token='", "\\"])
def test_hostile_texts_take_no_long_time(piece: str):
    started = datetime.now(UTC)
    Redactor().text(piece * 20_000)
    assert datetime.now(UTC) - started < timedelta(seconds=3)
