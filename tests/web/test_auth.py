"""Who may come in, at every address there is. S10, S18, S19."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fastapi.routing import iter_route_contexts

from nightdesk.runtime.clock import VirtualClock
from nightdesk.runtime.secrets import Secret
from nightdesk.web.config import WebConfig
from nightdesk.web.desk import Desk
from nightdesk.web.server import build_app
from tests.web.conftest import ADDRESS
from tests.web.desks import OPERATOR_TOKEN, WEBHOOK, Calls, make_desk
from tests.web.world import World

FORM = {"content-type": "application/x-www-form-urlencoded", "origin": ADDRESS}
OPEN = "open"
HOOK = "webhook"
PAGE = "page"
API = "api"

# Every address of the desk: who it is for, and a body it takes. A new one without a row fails below.
ADDRESSES: dict[tuple[str, str], tuple[str, Any]] = {
    ("POST", "/api/webhook"): (HOOK, None),
    ("POST", "/api/webhook/{token}"): (HOOK, None),
    ("GET", "/health"): (OPEN, None),
    ("GET", "/api/health"): (OPEN, None),
    ("GET", "/api/health/live"): (OPEN, None),
    ("GET", "/api/health/ready"): (OPEN, None),
    ("GET", "/api/status"): (API, None),
    ("GET", "/api/orders"): (API, None),
    ("POST", "/api/orders"): (API, {"symbol": "BTC-USD", "side": "buy", "size": "1"}),
    ("GET", "/api/orders/{cl_ord_id}"): (API, None),
    ("POST", "/api/orders/{cl_ord_id}/cancel"): (API, {}),
    ("POST", "/api/orders/{cl_ord_id}/settle"): (API, {"action": "accept"}),
    ("GET", "/api/signals"): (API, None),
    ("GET", "/api/signals/{signal_id}"): (API, None),
    ("GET", "/api/executions"): (API, None),
    ("GET", "/api/executions/{execution_id}"): (API, None),
    ("GET", "/api/positions"): (API, None),
    ("POST", "/api/positions/close"): (API, {"symbol": "BTC-USD"}),
    ("POST", "/api/halt"): (API, {"reason": "test"}),
    ("POST", "/api/resume"): (API, {}),
    ("GET", "/api/accounts"): (API, None),
    ("POST", "/api/accounts/{account_id}/acknowledge"): (API, {}),
    ("GET", "/stream"): (API, None),
    ("GET", "/"): (PAGE, None),
    ("GET", "/orders"): (PAGE, None),
    ("GET", "/orders/{cl_ord_id}"): (PAGE, None),
    ("GET", "/signals"): (PAGE, None),
    ("GET", "/signals/{signal_id}"): (PAGE, None),
    ("GET", "/connect"): (PAGE, None),
    ("POST", "/connect"): (PAGE, ""),
    ("GET", "/trade"): (PAGE, None),
    ("GET", "/halt"): (PAGE, None),
    ("GET", "/resume"): (PAGE, None),
    ("POST", "/act/halt"): (PAGE, "reason=test"),
    ("POST", "/act/resume"): (PAGE, ""),
    ("POST", "/act/settle"): (PAGE, "cl_ord_id=x&action=accept"),
    ("POST", "/act/cancel"): (PAGE, "cl_ord_id=x"),
    ("POST", "/act/acknowledge"): (PAGE, "account_id=paper"),
    ("POST", "/act/order"): (PAGE, "symbol=BTC-USD&side=buy&size=1&key=k"),
    ("POST", "/act/close"): (PAGE, "symbol=BTC-USD&sleeve=trend&venue=paper&key=k"),
    ("GET", "/login"): (OPEN, None),
    ("POST", "/login"): (OPEN, f"token={OPERATOR_TOKEN}"),
    ("POST", "/logout"): (OPEN, ""),
    ("GET", "/static/{name}"): (OPEN, None),
}
FILLED = {
    "cl_ord_id": f"{1:028x}{0:04x}",
    "signal_id": f"{1:032x}",
    "execution_id": f"{1:028x}{0:04x}.e{1:04x}0000",
    "account_id": "paper",
    "name": "desk.css",
    "token": WEBHOOK,
}
GUARDED = [(address, body) for address, (who, body) in ADDRESSES.items() if who in (PAGE, API)]


def test_every_address_of_the_desk_has_a_row_here(desk: Desk) -> None:
    found = {
        (method, context.path)
        for context in iter_route_contexts(build_app(desk).routes)
        for method in (context.methods or ())
        if method != "HEAD"
    }
    assert found == ADDRESSES.keys()


@pytest.fixture
def filled(world: World) -> World:
    """One order to name in addresses."""
    signal = world.signal()
    order = world.order(signal)
    world.accepted(signal, order)
    world.filled(order)
    return world


def nothing_done(calls: Calls) -> bool:
    """True while nothing was asked of the desk."""
    return not any((calls.placed, calls.halts, calls.settled, calls.canceled, calls.acknowledged, calls.resumed))


async def call(client: httpx2.AsyncClient, address: tuple[str, str], body: Any, **headers: str) -> httpx2.Response:
    method, path = address
    path = path.format(**FILLED)
    if isinstance(body, str):
        return await client.request(method, path, content=body, headers={**FORM, **headers})
    return (
        await client.request(method, path, json=body, headers=headers)
        if body is not None
        else (await client.request(method, path, headers=headers))
    )


@pytest.mark.parametrize(("address", "body"), GUARDED)
async def test_without_a_token_nothing_is_shown_and_nothing_is_done(
    anybody: httpx2.AsyncClient, calls: Calls, filled: World, address: tuple[str, str], body: Any
) -> None:
    answer = await call(anybody, address, body)
    assert answer.status_code == 401
    assert answer.json()["code"] == "SIGN_IN_REQUIRED"
    assert "BTC" not in answer.text
    assert answer.headers["www-authenticate"] == "Bearer"
    assert nothing_done(calls)


@pytest.mark.parametrize(("address", "body"), GUARDED)
async def test_with_a_wrong_token_neither(
    anybody: httpx2.AsyncClient, calls: Calls, filled: World, address: tuple[str, str], body: Any
) -> None:
    answer = await call(anybody, address, body, authorization=f"Bearer {WEBHOOK}")
    assert answer.status_code == 401
    assert answer.json()["code"] == "INVALID_TOKEN"
    assert nothing_done(calls)


@pytest.mark.parametrize("given", ["wrong", "", "é", OPERATOR_TOKEN[:-1], f"{OPERATOR_TOKEN}x", "x" * 10_000])
async def test_s10_strange_tokens_are_wrong_tokens(anybody: httpx2.AsyncClient, given: str) -> None:
    headers = httpx2.Headers([(b"authorization", f"Bearer {given}".encode())])
    assert (await anybody.get("/api/accounts", headers=headers)).status_code == 401


@pytest.mark.parametrize(("address", "body"), [each for each in GUARDED if each[0] != ("GET", "/stream")])
async def test_with_the_token_every_address_answers(
    operator: httpx2.AsyncClient, filled: World, address: tuple[str, str], body: Any
) -> None:
    answer = await call(operator, address, body)
    assert answer.status_code in (200, 202, 303), answer.text


@pytest.mark.parametrize("address", [address for address, (who, _) in ADDRESSES.items() if who == OPEN])
async def test_what_is_open_answers_anybody(
    anybody: httpx2.AsyncClient, filled: World, address: tuple[str, str]
) -> None:
    answer = await call(anybody, address, ADDRESSES[address][1])
    assert answer.status_code in (200, 303)
    assert WEBHOOK not in answer.text
    assert OPERATOR_TOKEN not in answer.text


async def signed_in(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    answer = await client.post("/login", content=f"token={OPERATOR_TOKEN}&next=/orders", headers=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/orders")
    return client


async def test_a_session_is_a_cookie_no_script_and_no_other_site_can_use(anybody: httpx2.AsyncClient) -> None:
    answer = await anybody.post("/login", content=f"token={OPERATOR_TOKEN}", headers=FORM)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert OPERATOR_TOKEN not in cookie
    assert (await anybody.get("/")).status_code == 200


async def test_over_https_the_cookie_is_secure(world: World) -> None:
    desk, _ = make_desk(world, config=WebConfig(public_url="https://desk.example"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(build_app(desk)), base_url=ADDRESS) as client:
        headers = {**FORM, "origin": "https://desk.example"}
        answer = await client.post("/login", content=f"token={OPERATOR_TOKEN}", headers=headers)
    assert "; Secure" in answer.headers["set-cookie"]


async def test_somebody_without_a_session_is_led_to_the_login_and_back(anybody: httpx2.AsyncClient) -> None:
    answer = await anybody.get("/orders?status=OPEN", headers={"accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Forders%3Fstatus%3DOPEN"


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", ""])
async def test_the_way_back_stays_on_this_desk(anybody: httpx2.AsyncClient, target: str) -> None:
    body = httpx2.QueryParams({"token": OPERATOR_TOKEN, "next": target})
    answer = await anybody.post("/login", content=str(body), headers=FORM)
    assert answer.headers["location"] == "/"


FOREIGN: list[dict[str, str]] = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://desk.test.evil.example"},
    {"origin": "http://evil-desk.test"},
    {"origin": "https://desk.test"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {},
]
CHANGING = [(address, body) for address, body in GUARDED if address[0] == "POST"]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize(("address", "body"), CHANGING)
async def test_s18_by_cookie_nothing_changes_on_another_sites_word(
    anybody: httpx2.AsyncClient, calls: Calls, address: tuple[str, str], body: Any, headers: dict[str, str]
) -> None:
    await signed_in(anybody)
    method, path = address
    kind = "application/x-www-form-urlencoded" if isinstance(body, str) else "application/json"
    content = body if isinstance(body, str) else "{}"
    answer = await anybody.request(
        method, path.format(**FILLED), content=content, headers={"content-type": kind, **headers}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "CROSS_SITE")
    assert nothing_done(calls)


@pytest.mark.parametrize("headers", FOREIGN)
async def test_s18_nobody_is_signed_in_or_out_by_another_site(
    anybody: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    kind = {"content-type": FORM["content-type"]}
    answer = await anybody.post("/login", content=f"token={OPERATOR_TOKEN}", headers={**kind, **headers})
    assert answer.status_code == 403
    await signed_in(anybody)
    assert (await anybody.post("/logout", content="", headers={**kind, **headers})).status_code == 403
    assert (await anybody.get("/")).status_code == 200


async def test_by_cookie_and_from_our_own_page_the_forms_work(anybody: httpx2.AsyncClient, calls: Calls) -> None:
    await signed_in(anybody)
    answer = await anybody.post("/act/halt", content="reason=enough", headers=FORM)
    assert answer.status_code == 303
    assert calls.halts == [("enough", "operator (page)")]
    without_origin = {"content-type": FORM["content-type"], "sec-fetch-site": "same-origin"}
    assert (await anybody.post("/act/halt", content="", headers=without_origin)).status_code == 303


async def test_s18_a_form_cannot_pass_for_json(operator: httpx2.AsyncClient, calls: Calls) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = await operator.post("/api/halt", content="{}", headers={"content-type": kind})
        assert (answer.status_code, answer.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert calls.halts == []


async def test_a_session_ends_by_itself_and_with_a_new_token(world: World) -> None:
    clock = VirtualClock()
    desk, _ = make_desk(world, clock=clock)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(build_app(desk)), base_url=ADDRESS) as client:
        await signed_in(client)
        cookie = {"cookie": f"nightdesk_session={client.cookies['nightdesk_session']}"}
        assert (await client.get("/api/accounts", headers=cookie)).status_code == 200
        clock.advance(timedelta(hours=12).total_seconds() + 1)
        assert (await client.get("/api/accounts", headers=cookie)).status_code == 401
    fresh, _ = make_desk(world)
    rotated = replace(fresh, operator_token=Secret("another-operator-token-altogether"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(build_app(rotated)), base_url=ADDRESS) as client:
        assert (await client.get("/api/accounts", headers=cookie)).status_code == 401


async def test_signing_out_ends_the_session_also_for_whoever_kept_the_cookie(anybody: httpx2.AsyncClient) -> None:
    await signed_in(anybody)
    kept = {"cookie": f"nightdesk_session={anybody.cookies['nightdesk_session']}"}
    assert (await anybody.post("/logout", content="", headers=FORM)).status_code == 303
    assert (await anybody.get("/api/accounts", headers=kept)).status_code == 401


@pytest.mark.parametrize(
    "cookie",
    ["", "x", "9999999999.a.b", "9999999999..", "é", "x" * 5000, "1.2.3.4.5", "9999999999.aa." + "0" * 64, '"'],
)
async def test_a_made_up_cookie_is_no_session(anybody: httpx2.AsyncClient, cookie: str) -> None:
    header = f"nightdesk_session={cookie}".encode()
    answer = await anybody.get("/api/accounts", headers={"cookie": header})  # type: ignore[dict-item]  # raw bytes
    assert answer.status_code == 401


async def test_s9_guessing_is_slowed_down_and_the_operator_is_not_locked_out(anybody: httpx2.AsyncClient) -> None:
    statuses = [(await anybody.post("/login", content=f"token=guess{i}", headers=FORM)).status_code for i in range(14)]
    assert statuses == [401] * 10 + [429] * 4
    headers = {"authorization": "Bearer wrong"}
    assert (await anybody.get("/api/accounts", headers=headers)).status_code == 429
    await signed_in(anybody)


async def test_a_wrong_token_on_the_login_page_says_where_the_right_one_is(anybody: httpx2.AsyncClient) -> None:
    answer = await anybody.post("/login", content="token=guess&next=/orders", headers=FORM)
    assert answer.status_code == 401
    assert "tokens.json" in answer.text
    assert 'value="/orders"' in answer.text
    assert "guess" not in answer.text


async def test_s19_no_answer_invites_another_origin(anybody: httpx2.AsyncClient, operator: httpx2.AsyncClient) -> None:
    for path in ("/api/health", "/api/accounts", "/"):
        for origin in ("null", "https://evil.example", ADDRESS):
            answer = await operator.get(path, headers={"origin": origin})
            assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert (await operator.request("OPTIONS", path)).status_code == 405
