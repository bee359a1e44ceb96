"""Alerts at a running desk: who may send them, what is refused and why, and what is kept of it (K1, K2, K10)."""

import gzip
import http.client
import json
import socket
import time
from typing import Any

import pytest

from tests.app.desks import OPERATOR, WEBHOOK, Answer, Desk

BUY = {"symbol": "BTC-USD", "side": "buy", "size": "0.001"}


def buy(**more: Any) -> dict[str, Any]:
    return BUY | more


def wide(text: str) -> str:
    """The digits in their full-width forms."""
    return "".join(chr(ord(each) + 0xFEE0) for each in text)


HEADERS: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "path": (f"/api/webhook/{WEBHOOK}", {}, {}),
    "header": ("/api/webhook", {"X-Webhook-Token": WEBHOOK}, {}),
    "bearer": ("/api/webhook", {"Authorization": f"Bearer {WEBHOOK}"}, {}),
    "query": (f"/api/webhook?token={WEBHOOK}", {}, {}),
    "body token": ("/api/webhook", {}, {"token": WEBHOOK}),
    "body passphrase": ("/api/webhook", {}, {"passphrase": WEBHOOK}),
    "body secret": ("/api/webhook", {}, {"secret": WEBHOOK}),
}


@pytest.mark.parametrize("way", HEADERS)
def test_k1_a_token_is_taken_from_each_place_and_kept_nowhere(many: Desk, way: str) -> None:
    path, headers, fields = HEADERS[way]
    body = json.dumps(buy(id=f"by {way}", **fields)).encode()
    answer = many.ask("POST", path, body, headers)
    assert (answer.status, answer.code) == (202, "ACCEPTED")
    (order,) = many.ended(answer.signal_id)
    assert order["ord_status"] == "FILLED"
    assert WEBHOOK not in json.dumps(many.signal(answer.signal_id))


@pytest.mark.parametrize("way", HEADERS)
def test_k1_a_wrong_token_is_refused_without_details_and_trades_nothing(many: Desk, way: str) -> None:
    path, headers, fields = HEADERS[way]
    path = path.replace(WEBHOOK, "wrong-token-of-the-tests-00000001")
    headers = {name: value.replace(WEBHOOK, "wrong") for name, value in headers.items()}
    body = json.dumps(buy(id=f"wrong {way}", **{name: "wrong" for name in fields})).encode()
    before = len(many.get("/api/signals?limit=500")["signals"])
    answer = many.ask("POST", path, body, headers)
    assert (answer.status, answer.code, answer.fields["field"]) == (401, "INVALID_TOKEN", None)
    assert len(many.get("/api/signals?limit=500")["signals"]) == before


def test_k1_the_operator_token_is_no_webhook_token_and_the_other_way_round(many: Desk) -> None:
    assert many.ask("POST", f"/api/webhook/{OPERATOR}", b"{}").status == 401
    assert many.ask("GET", "/api/orders", headers={"Authorization": f"Bearer {WEBHOOK}"}).status == 401


REFUSED: list[tuple[str, object, str, int, str, str | None]] = [
    ("nothing", "", "", 400, "INVALID_SIGNAL", None),
    ("an empty object", "{}", "", 400, "INVALID_SIGNAL", None),
    ("a word", "buy", "", 400, "INVALID_SIGNAL", None),
    ("a list", "[1]", "", 400, "INVALID_SIGNAL", None),
    ("null", "null", "", 400, "INVALID_SIGNAL", None),
    ("broken JSON", '{"symbol": "BTC-USD", "side": ', "", 400, "INVALID_SIGNAL", "body"),
    ("too deep", '{"a":' * 20 + "1" + "}" * 20, "", 400, "BODY_TOO_DEEP", None),
    ("deep arrays", "[" * 9000 + "]" * 7000, "", 400, "BODY_TOO_DEEP", None),
    ("compressed without saying so", gzip.compress(b"{}" * 100), "", 422, "FIELD_INVALID", "body"),
    ("no size", {"symbol": "BTC-USD", "side": "buy"}, "", 422, "SIZE_UNKNOWN", "size"),
    ("above the hook's maximum", buy(size="6"), "", 422, "SIZE_ABOVE_HOOK_MAXIMUM", "size"),
    ("above the desk's limit", buy(size="0.9"), "", 422, "MAX_ORDER_NOTIONAL", "size"),
    ("less than a lot", buy(size="0.000001"), "", 422, "QTY_INVALID", "size"),
    ("NaN", '{"symbol":"BTC-USD","side":"buy","size":NaN}', "", 422, "FIELD_INVALID", "size"),
    ("infinity", '{"symbol":"BTC-USD","side":"buy","size":Infinity}', "", 422, "FIELD_INVALID", "size"),
    ("1e400", '{"symbol":"BTC-USD","side":"buy","size":1e400}', "", 422, "FIELD_INVALID", "size"),
    ("1e400 as text", buy(size="1e400"), "", 422, "FIELD_INVALID", "size"),
    ("1e999 as price", buy(order_type="limit", price="1e999"), "", 422, "FIELD_INVALID", "price"),
    ("five thousand digits", buy(size="9" * 5000), "", 422, "FIELD_INVALID", "size"),
    ("underscores", buy(size="1_000"), "", 422, "FIELD_INVALID", "size"),
    ("full-width digits", buy(size=wide("1")), "", 422, "FIELD_INVALID", "size"),
    ("true", buy(size=True), "", 422, "FIELD_INVALID", "size"),
    ("zero", buy(size=0), "", 422, "FIELD_INVALID", "size"),
    ("negative", buy(size=-1), "", 422, "FIELD_INVALID", "size"),
    ("a key twice", '{"symbol":"BTC-USD","side":"buy","size":1,"size":2}', "", 422, "FIELD_INVALID", "size"),
    ("a lone surrogate", '{"symbol":"BTC-USD","side":"buy","size":1,"id":"\\ud800"}', "", 422, "FIELD_INVALID", "id"),
    ("NUL", '{"symbol":"BTC-USD","side":"buy","size":1,"id":"a\\u0000b"}', "", 422, "FIELD_INVALID", "id"),
    ("bidi", '{"symbol":"BTC-USD","side":"buy","size":1,"id":"a\\u202eb"}', "", 422, "FIELD_INVALID", "id"),
    ("an unknown symbol", buy(symbol="NOPE"), "", 422, "UNKNOWN_SYMBOL", "symbol"),
    ("an unknown venue", buy(dex_ids=["nowhere"]), "", 422, "UNKNOWN_VENUE", "venues"),
    ("a venue of another hook", buy(venues=["second"]), "", 422, "UNKNOWN_VENUE", "venues"),
    ("a placeholder as symbol", buy(symbol="{{ticker}}"), "", 422, "PLACEHOLDER_UNFILLED", "symbol"),
    ("a placeholder as side", buy(side="{{strategy.order.action}}"), "", 422, "PLACEHOLDER_UNFILLED", "side"),
    ("a placeholder as text", "buy {{ticker}} 1", "", 422, "PLACEHOLDER_UNFILLED", "body"),
    ("a price off the market", buy(order_type="limit", price="99000"), "", 422, "PRICE_COLLAR", "price"),
    ("a hook that is off", BUY, "off", 422, "SIGNAL_DISABLED", None),
    ("an alert of years ago", buy(timenow="2020-01-01T00:00:00Z"), "late", 200, "STALE_SIGNAL", "timestamp"),
    ("a heartbeat", buy(heartbeat=True), "", 200, "NO_ACTION", None),
]


@pytest.mark.parametrize(
    ("body", "hook", "status", "code", "field"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_k2_row_76_what_cannot_be_traded_gets_its_code_and_field_and_stays_in_the_ledger(
    many: Desk, body: object, hook: str, status: int, code: str, field: str | None
) -> None:
    answer = many.alert(body, hook=hook)
    assert (answer.status, answer.code, answer.fields["field"]) == (status, code, field), answer.fields
    assert answer.fields["error"]
    assert answer.fields["next_step"]
    kept = many.signal(answer.signal_id)
    outcome = {"STALE_SIGNAL": "EXPIRED", "NO_ACTION": "NO_ACTION"}.get(code, "REFUSED")
    assert (kept["outcome"], kept["code"] or "NO_ACTION") == (outcome, code)
    assert {each["ord_status"] for each in kept["orders"]} <= {"DENIED"}
    assert not any(float(each["cum_qty"]) for each in kept["orders"])


@pytest.mark.parametrize(
    ("body", "form", "note"),
    [
        (b'\xef\xbb\xbf{"symbol": "BTCUSD", "side": "buy", "size": "0.001", "id": "bom"}', "native", ""),
        ('{"symbol": "BTCUSD", "side": "buy", "size": "0.001", "comment": "caf\xe9"}'.encode("latin-1"), "", "Latin-1"),
        (b"symbol=COINBASE:BTCUSD; side=buy; size=0.001; id=plain", "key_value", ""),
    ],
    ids=["byte order mark", "latin-1", "plain text"],
)
def test_row_77_other_encodings_and_plain_text_are_read_or_say_so(
    many: Desk, body: bytes, form: str, note: str
) -> None:
    answer = many.alert(body)
    assert (answer.status, answer.code) == (202, "ACCEPTED")
    kept = many.signal(answer.signal_id)
    assert kept["form"] == form or not form
    assert note in " ".join(kept["notes"])


def test_row_75_a_large_body_is_not_read(many: Desk) -> None:
    assert many.alert(b" " * 16_384).code == "INVALID_SIGNAL"
    assert many.alert(b" " * 16_385).code == "BODY_TOO_LARGE"
    answer = many.alert(b"x" * 1_000_000)
    assert (answer.status, answer.code, answer.headers["connection"]) == (413, "BODY_TOO_LARGE", "close")
    # K2: whoever has the token finds in the ledger that it came, and why it was not read.
    kept = many.api("GET", f"/api/signals/{answer.fields['signal_id']}").fields
    assert (kept["outcome"], kept["code"]) == ("REFUSED", "BODY_TOO_LARGE")


def test_row_75_a_compressed_body_is_not_unpacked(many: Desk) -> None:
    bomb = gzip.compress(b" " * 5_000_000)
    answer = many.alert(bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status, answer.code, answer.fields["field"]) == (415, "UNSUPPORTED_ENCODING", "Content-Encoding")


def test_row_75_a_body_in_chunks_is_read_and_without_end_is_cut_off(many: Desk) -> None:
    assert _chunks(many, [b'{"symbol": "BTC-USD", "side": "buy", ', b'"size": "0.001", "id": "chunks"}']).status == 202
    before = _rss(many)
    answer = _chunks(many, [b" " * 65_536] * 160)
    assert (answer.status, answer.code) == (413, "BODY_TOO_LARGE")
    assert _rss(many) - before < 8 * 1024 * 1024


def _chunks(desk: Desk, chunks: list[bytes]) -> Answer:
    """The answer to a body sent in chunks; what the desk no longer takes is not sent."""
    with socket.create_connection(("127.0.0.1", desk.port), timeout=20) as wire:
        head = f"POST /api/webhook/{WEBHOOK} HTTP/1.1\r\nHost: desk\r\nTransfer-Encoding: chunked\r\n\r\n"
        wire.sendall(head.encode())
        try:
            for each in chunks:
                wire.sendall(b"%x\r\n%s\r\n" % (len(each), each))
            wire.sendall(b"0\r\n\r\n")
        except OSError:
            pass
        return _read(wire)


def _read(wire: socket.socket) -> Answer:
    response = http.client.HTTPResponse(wire)
    response.begin()
    return Answer(response.status, json.loads(response.read()), dict(response.getheaders()))


def _rss(desk: Desk) -> int:
    assert desk.process is not None
    with open(f"/proc/{desk.process.pid}/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096


def test_k10_health_says_how_the_parts_are_and_nothing_private_to_strangers(many: Desk) -> None:
    for path in ("/health", "/api/health"):
        answer = many.ask("GET", path)
        assert (answer.status, answer.fields["status"]) == (200, "healthy")
        assert answer.fields["components"]["database"] == "healthy"
        assert not {"details", "version", "last_signal_at"} & answer.fields.keys()
    assert many.ask("GET", "/api/health/live").fields == {"status": "live"}
    assert many.ask("GET", "/api/health/ready").fields == {"status": "ready"}
    assert many.get("/api/health")["details"]["database"] == "reads and writes"


def test_k4_wait_answers_with_what_became_of_each_leg(many: Desk) -> None:
    answer = many.alert(buy(id="waited for"), hook="pair", wait="10")
    assert (answer.status, answer.fields["status"], answer.fields["done"]) == (200, "success", True)
    legs = {leg["dex"]: leg for leg in answer.fields["results"]}
    assert {name: leg["status"] for name, leg in legs.items()} == {"paper": "filled", "second": "filled"}
    assert all(leg["cum_qty"] == "0.001" and float(leg["avg_px"]) > 0 for leg in legs.values())


def test_k4_wait_says_at_once_why_nothing_was_traded(many: Desk) -> None:
    began = time.monotonic()
    answer = many.alert(buy(size="6"), wait="20")
    assert (answer.status, answer.code, answer.fields["status"]) == (422, "SIZE_ABOVE_HOOK_MAXIMUM", "failed")
    assert time.monotonic() - began < 5


def test_row_75_a_body_that_trickles_is_given_up(many: Desk) -> None:
    with socket.create_connection(("127.0.0.1", many.port), timeout=20) as wire:
        head = f"POST /api/webhook/{WEBHOOK} HTTP/1.1\r\nHost: desk\r\nContent-Length: 50\r\n\r\n"
        wire.sendall(head.encode() + b'{"symbol"')
        began = time.monotonic()
        answer = _read(wire)
    assert (answer.status, answer.code) == (408, "BODY_TIMEOUT")
    assert 1.5 < time.monotonic() - began < 6
