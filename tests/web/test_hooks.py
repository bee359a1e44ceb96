"""Alerts at the door: who, how much, how fast; and one answer for each outcome. K1, K2, K3, K6."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import SignalOutcome
from nightdesk.model.errors import Refused
from nightdesk.orders.intent import Acceptance
from nightdesk.runtime.database import CommitUnknown, StoreUnavailable
from nightdesk.runtime.writer import Fenced, Overloaded
from nightdesk.web.config import WebConfig
from nightdesk.web.server import build_app
from tests.web.desks import OPERATOR_TOKEN, WEBHOOK, Calls, acceptance, make_desk
from tests.web.world import World

BODY = b'{"symbol": "BTC-USD", "side": "buy", "size": "0.1"}'
PATH = f"/api/webhook/{WEBHOOK}"


def answering(calls: Calls, make: Callable[[], Acceptance]) -> None:
    async def answer(hook: str, raw: bytes, key: str | None) -> Acceptance:
        return make()

    calls.answer = answer


def raising(calls: Calls, error: Exception) -> None:
    async def answer(hook: str, raw: bytes, key: str | None) -> Acceptance:
        raise error

    calls.answer = answer


async def test_k1_an_alert_with_the_token_in_its_path_is_accepted_once_durable(
    anybody: httpx2.AsyncClient, calls: Calls
) -> None:
    answer = await anybody.post(PATH, content=BODY)
    assert answer.status_code == 202
    found = answer.json()
    assert found["code"] == "ACCEPTED"
    assert calls.alerts == [("default", BODY, None)]
    (order,) = found["orders"]
    assert order["signal_id"] == found["signal_id"]
    assert order["order_qty"] == "0.5"
    assert order["ord_status"] == "PENDING_NEW"
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        (PATH, {}, BODY),
        ("/api/webhook", {"x-webhook-token": WEBHOOK}, BODY),
        ("/api/webhook", {"authorization": f"Bearer {WEBHOOK}"}, BODY),
        ("/api/webhook", {"authorization": f"bearer  {WEBHOOK} "}, BODY),
        (f"/api/webhook?token={WEBHOOK}", {}, BODY),
        ("/api/webhook", {}, b'{"token": "%s"}' % WEBHOOK.encode()),
        ("/api/webhook", {"authorization": "Basic Zm9v"}, b'{"token": "%s"}' % WEBHOOK.encode()),
    ],
)
async def test_k1_the_token_may_stand_in_path_header_query_or_body(
    anybody: httpx2.AsyncClient, path: str, headers: dict[str, str], body: bytes
) -> None:
    assert (await anybody.post(path, headers=headers, content=body)).status_code == 202


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/api/webhook", {}, BODY),
        ("/api/webhook/wrong", {}, BODY),
        ("/api/webhook/wrong", {"x-webhook-token": WEBHOOK}, BODY),
        (f"/api/webhook/{WEBHOOK}x", {}, BODY),
        (f"/api/webhook/{OPERATOR_TOKEN}", {}, BODY),
        ("/api/webhook/%C3%A9%C3%A9", {}, BODY),
        ("/api/webhook/%00", {}, BODY),
        ("/api/webhook", {"x-webhook-token": ""}, BODY),
        ("/api/webhook", {"x-webhook-token": "é".encode("latin-1")}, BODY),
        ("/api/webhook", {"x-webhook-token": "wrong"}, b'{"token": "%s"}' % WEBHOOK.encode()),
        ("/api/webhook?token=", {}, BODY),
    ],
)
async def test_k1_s10_a_wrong_token_is_401_without_details_and_nothing_is_taken(
    anybody: httpx2.AsyncClient, calls: Calls, path: str, headers: dict[str, Any], body: bytes
) -> None:
    answer = await anybody.post(path, headers=headers, content=body)
    assert answer.status_code == 401
    assert answer.json()["code"] == "INVALID_TOKEN"
    assert WEBHOOK not in answer.text
    assert calls.alerts == []


async def test_the_hook_is_named_in_the_query(anybody: httpx2.AsyncClient, calls: Calls) -> None:
    await anybody.post(f"{PATH}?hook=trend", content=BODY)
    assert calls.alerts[0][0] == "trend"


async def test_the_only_hook_takes_alerts_that_name_none(world: World) -> None:
    desk, calls = make_desk(world, hooks=("tradingview",))
    transport = httpx2.ASGITransport(build_app(desk))
    async with httpx2.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        await client.post(PATH, content=BODY)
    assert calls.alerts[0][0] == "tradingview"


@pytest.mark.parametrize(
    ("kind", "status"),
    [("text/plain; charset=utf-8", 202), ("application/json", 202), ("application/octet-stream", 202), ("", 202)],
)
async def test_row_77_the_content_type_decides_nothing(
    anybody: httpx2.AsyncClient, calls: Calls, kind: str, status: int
) -> None:
    body = "\ufeffsymbol=BTCUSD side=buy".encode()
    answer = await anybody.post(PATH, headers={"content-type": kind}, content=body)
    assert answer.status_code == status
    assert calls.alerts[0][1] == body


async def test_row_75_an_empty_body_reaches_the_ledger(anybody: httpx2.AsyncClient, calls: Calls) -> None:
    await anybody.post(PATH, content=b"")
    assert calls.alerts == [("default", b"", None)]


@pytest.mark.parametrize("size", [16385, 1_000_000])
async def test_row_75_a_large_body_is_413_whether_its_length_is_declared_or_not(
    anybody: httpx2.AsyncClient, calls: Calls, size: int
) -> None:
    async def chunks() -> Any:
        for _ in range(size // 1024 + 1):
            yield b"x" * 1024

    for content in (b"x" * size, chunks()):
        answer = await anybody.post(PATH, content=content)
        assert answer.status_code == 413
        assert answer.json()["code"] == "BODY_TOO_LARGE"
        assert answer.headers["connection"] == "close"
    assert calls.alerts == []


async def test_a_body_of_exactly_the_limit_is_read(anybody: httpx2.AsyncClient, calls: Calls) -> None:
    assert (await anybody.post(PATH, content=b"x" * 16384)).status_code == 202
    assert len(calls.alerts[0][1]) == 16384


async def test_row_75_a_compressed_body_is_415_and_not_unpacked(anybody: httpx2.AsyncClient, calls: Calls) -> None:
    for encoding in ("gzip", "br", "gzip, identity"):
        answer = await anybody.post(PATH, headers={"content-encoding": encoding}, content=b"\x1f\x8b" * 10)
        assert answer.status_code == 415
    assert (await anybody.post(PATH, headers={"content-encoding": "Identity"}, content=BODY)).status_code == 202
    assert len(calls.alerts) == 1


async def test_row_75_a_slow_body_is_408(world: World) -> None:
    desk, calls = make_desk(world, config=WebConfig(body_timeout=0.05))

    async def slow() -> Any:
        yield b"{"
        await asyncio.sleep(1.0)
        yield b"}"

    transport = httpx2.ASGITransport(build_app(desk))
    async with httpx2.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        answer = await client.post(PATH, content=slow())
    assert answer.status_code == 408
    assert answer.json()["code"] == "BODY_TIMEOUT"
    assert calls.alerts == []


async def test_k3_row_69_a_repeat_is_200_with_the_first_id_and_its_orders(
    anybody: httpx2.AsyncClient, calls: Calls, world: World
) -> None:
    first = world.signal()
    order = world.order(first)
    world.accepted(first, order)
    answering(
        calls,
        lambda: Acceptance(
            outcome=SignalOutcome.DUPLICATE,
            signal_id=first.signal_id,
            code=DenyCode.DUPLICATE_SIGNAL,
            text=f"the same signal was taken as {first.signal_id}",
        ),
    )
    answer = await anybody.post(PATH, content=BODY)
    assert answer.status_code == 200
    found = answer.json()
    assert found["code"] == "DUPLICATE_SIGNAL"
    assert found["signal_id"] == first.signal_id
    assert [each["cl_ord_id"] for each in found["orders"]] == [order.cl_ord_id]


async def test_k3_an_idempotency_key_is_handed_on_and_its_reuse_is_422(
    anybody: httpx2.AsyncClient, calls: Calls
) -> None:
    await anybody.post(PATH, headers={"idempotency-key": "order 17"}, content=BODY)
    assert calls.alerts[0][2] == "order 17"
    raising(calls, Refused(DenyCode.IDEMPOTENCY_KEY_REUSED, "the id order 17 had another body", field="id"))
    answer = await anybody.post(PATH, headers={"idempotency-key": "order 17"}, content=b"{}")
    assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("key", [b"", b" ", b"x" * 256, "é".encode("latin-1"), b"a\tb"])
async def test_a_key_that_cannot_be_written_down_is_refused(
    anybody: httpx2.AsyncClient, calls: Calls, key: bytes
) -> None:
    answer = await anybody.post(PATH, headers={"idempotency-key": key}, content=BODY)
    assert answer.status_code == 422
    assert answer.json()["field"] == "Idempotency-Key"
    assert calls.alerts == []


REFUSALS = [
    (DenyCode.INVALID_SIGNAL, 400),
    (DenyCode.BODY_TOO_DEEP, 400),
    (DenyCode.BODY_TOO_LARGE, 413),
    (DenyCode.FIELD_MISSING, 422),
    (DenyCode.FIELD_INVALID, 422),
    (DenyCode.PLACEHOLDER_UNFILLED, 422),
    (DenyCode.UNKNOWN_SYMBOL, 422),
    (DenyCode.UNKNOWN_VENUE, 422),
    (DenyCode.SIZE_ABOVE_HOOK_MAXIMUM, 422),
    (DenyCode.SIGNAL_DISABLED, 422),
    (DenyCode.HALTED, 422),
    (DenyCode.MAX_ORDER_NOTIONAL, 422),
]


@pytest.mark.parametrize(("code", "status"), REFUSALS)
async def test_k2_a_refused_signal_is_4xx_with_code_field_next_step_and_its_id(
    anybody: httpx2.AsyncClient, calls: Calls, code: DenyCode, status: int, world: World
) -> None:
    answering(
        calls,
        lambda: Acceptance(
            outcome=SignalOutcome.REFUSED, signal_id=world.signal().signal_id, code=code, text="why", field="size"
        ),
    )
    answer = await anybody.post(PATH, content=BODY)
    assert answer.status_code == status
    found = answer.json()
    assert (found["code"], found["field"], found["error"]) == (code.name, "size", "why")
    assert found["next_step"] == code.next_step
    assert found["signal_id"]


async def test_x4_a_refusal_by_risk_names_the_check_the_limit_and_the_value(
    anybody: httpx2.AsyncClient, calls: Calls, world: World
) -> None:
    text = "order value: the value would be 32000 USD, the limit is 25000."
    denied = Denied(code=DenyCode.MAX_ORDER_NOTIONAL, text=text, field="size", limit="25000", value="32000")
    answering(calls, lambda: acceptance(world, SignalOutcome.REFUSED, denied))
    found = (await anybody.post(PATH, content=BODY)).json()
    assert (found["limit"], found["value"]) == ("25000", "32000")
    (order,) = found["orders"]
    assert (order["check"], order["limit"], order["value"]) == ("order value", "25000", "32000")
    assert (order["ord_status"], order["code"]) == ("DENIED", "MAX_ORDER_NOTIONAL")


@pytest.mark.parametrize(
    ("outcome", "code"),
    [(SignalOutcome.EXPIRED, DenyCode.STALE_SIGNAL), (SignalOutcome.NO_ACTION, DenyCode.NO_ACTION)],
)
async def test_k6_what_no_resend_would_mend_is_200_with_its_code(
    anybody: httpx2.AsyncClient, calls: Calls, world: World, outcome: SignalOutcome, code: DenyCode
) -> None:
    answering(calls, lambda: acceptance(world, outcome, code=code, text="the reason"))
    answer = await anybody.post(PATH, content=BODY)
    assert answer.status_code == 200
    assert (answer.json()["code"], answer.json()["error"]) == (code.name, "the reason")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreUnavailable("locked: /secret/path"), "STORE_UNAVAILABLE"),
        (Overloaded("20000 items"), "OVERLOADED"),
        (Fenced("taken over"), "STORE_UNAVAILABLE"),
        (CommitUnknown("gone"), "STORE_UNAVAILABLE"),
    ],
)
async def test_k6_row_51_what_was_not_stored_is_503_with_retry_after(
    anybody: httpx2.AsyncClient, calls: Calls, error: Exception, code: str
) -> None:
    raising(calls, error)
    answer = await anybody.post(PATH, content=BODY)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["code"] == code
    assert str(error) not in answer.text


async def test_s31_an_error_nobody_foresaw_leaves_without_its_insides(
    anybody: httpx2.AsyncClient, calls: Calls
) -> None:
    raising(calls, ValueError(f"{WEBHOOK} in /home/desk/secret.py"))
    answer = await anybody.post(PATH, content=BODY)
    assert answer.status_code == 500
    assert answer.json()["code"] == "INTERNAL_ERROR"
    assert "secret.py" not in answer.text
    assert WEBHOOK not in answer.text


async def test_k1_row_67_a_burst_beyond_the_bucket_is_429_before_anything_is_parsed(world: World) -> None:
    desk, calls = make_desk(world, config=WebConfig(rate_burst=3, rate_per_minute=1))
    transport = httpx2.ASGITransport(build_app(desk))
    async with httpx2.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        answers = [await client.post(PATH, content=BODY) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
    assert 50 <= int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].json()["code"] == "RATE_LIMITED"
    assert len(calls.alerts) == 3


async def test_s9_a_made_up_forwarded_address_buys_nothing(world: World) -> None:
    desk, _ = make_desk(world, config=WebConfig(rate_burst=2, rate_per_minute=1))
    transport = httpx2.ASGITransport(build_app(desk), client=("203.0.113.9", 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        statuses = [
            (await client.post("/api/webhook/wrong", headers={"x-forwarded-for": f"198.51.100.{i}"})).status_code
            for i in range(4)
        ]
    assert statuses == [401, 401, 429, 429]


async def test_row_79_fifty_parallel_posts_of_one_key_get_the_same_answer(
    anybody: httpx2.AsyncClient, calls: Calls, world: World
) -> None:
    first = world.signal()
    order = world.order(first)
    world.accepted(first, order)
    seen: list[str] = []

    async def answer(hook: str, raw: bytes, key: str | None) -> Acceptance:
        seen.append(key or "")
        await asyncio.sleep(0)
        outcome = SignalOutcome.ACCEPTED if len(seen) == 1 else SignalOutcome.DUPLICATE
        return Acceptance(outcome=outcome, signal_id=first.signal_id)

    calls.answer = answer
    posts = (anybody.post(PATH, headers={"idempotency-key": "k"}, content=BODY) for _ in range(50))
    answers = await asyncio.gather(*posts)
    assert {found.json()["signal_id"] for found in answers} == {first.signal_id}
    assert {found.status_code for found in answers} <= {200, 202}
    assert len(seen) == 50


async def test_other_methods_are_405_and_the_path_with_more_parts_404(anybody: httpx2.AsyncClient) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = await anybody.request(method, PATH)
        assert (answer.status_code, answer.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
        assert "POST" in answer.headers["allow"]
    assert (await anybody.post(f"{PATH}/more")).status_code == 404


async def test_the_answer_is_json_whatever_the_sender_accepts(anybody: httpx2.AsyncClient) -> None:
    answer = await anybody.post("/api/webhook/wrong", headers={"accept": "text/html"}, content=BODY)
    assert json.loads(answer.content)["code"] == "INVALID_TOKEN"
