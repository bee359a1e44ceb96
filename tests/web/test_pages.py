"""The pages: what they say, what they never let through, how heavy they are. S27, X9."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

import nightdesk.web.pages
from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import SignalOutcome, TradingState
from nightdesk.model.identifiers import AccountId, HookId, Sleeve, VenueId
from nightdesk.model.signal import Aim, Ask
from nightdesk.orders.intent import Acceptance, Ticket
from nightdesk.web.desk import Component, Desk
from nightdesk.web.glance import look
from nightdesk.web.server import build_app
from tests.web.conftest import ADDRESS
from tests.web.desks import OPERATOR_TOKEN, WEBHOOK, Calls, account_status
from tests.web.world import World

FORM = {"content-type": "application/x-www-form-urlencoded"}
EVIL = "<img src=x onerror=alert(1)>\"'{{7*7}}"
STATIC = Path(nightdesk.web.pages.__file__).parent / "static"
PAGES = ["/", "/orders", "/signals", "/trade", "/connect", "/halt", "/resume"]


@pytest.fixture
def busy(world: World, calls: Calls) -> World:
    """A doubt, a held order, a denial, a fill, a mismatch, a venue done by hand."""
    first = world.signal()
    filled = world.order(first)
    world.accepted(first, filled)
    world.filled(filled)
    lost = world.signal()
    doubt = world.order(lost)
    world.accepted(lost, doubt)
    world.unanswered(doubt)
    waiting = world.signal()
    held = world.order(waiting)
    world.accepted(waiting, held)
    world.held(held)
    world.account("me", "me")
    by_hand = world.signal()
    mine = world.order(by_hand, account_id=AccountId("me"), venue=VenueId("me"))
    world.accepted(by_hand, mine)
    denied = world.signal()
    text = "price collar: the price is 6 % from the market, the limit is 5 %."
    world.denied(denied, world.order(denied), Denied(code=DenyCode.PRICE_COLLAR, text=text, limit="5 %", value="6 %"))
    calls.accounts = (
        account_status(),
        account_status(account_id=AccountId("south"), venue=VenueId("south"), state=TradingState.REDUCING),
        account_status(account_id=AccountId("me"), venue=VenueId("me"), kind="manual"),
    )
    return world


async def page(client: httpx2.AsyncClient, path: str) -> str:
    answer = await client.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_the_first_page_says_what_needs_a_person_before_everything_else(
    operator: httpx2.AsyncClient, busy: World
) -> None:
    html = await page(operator, "/")
    assert "4 things need you. Everything else is running." in html
    for words in (
        "Did paper take the order to buy 0.5 BTC-USD?",
        "May the desk buy 0.5 BTC-USD on paper?",
        "south and the desk do not agree",
        "Carry out by hand: buy 0.5 BTC-USD on me",
        "Denied: price collar",
        "Paper money",
        "Simulated prices",
    ):
        assert words in html
    assert html.index("Needs you") < html.index("Just now")


async def test_an_empty_desk_teaches_the_first_signal(operator: httpx2.AsyncClient) -> None:
    html = await page(operator, "/")
    assert "Ready, and waiting for the first signal." in html
    assert "curl -X POST 'http://desk.test/api/webhook?wait=true&amp;hook=default'" in html
    assert "{{strategy.order.action}}" in html
    assert WEBHOOK not in html


async def test_the_token_is_shown_on_a_click_only(operator: httpx2.AsyncClient) -> None:
    assert WEBHOOK not in await page(operator, "/connect")
    answer = await operator.post("/connect", content="", headers=FORM)
    assert f"http://desk.test/api/webhook/{WEBHOOK}?hook=default" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert OPERATOR_TOKEN not in answer.text


async def test_live_money_is_always_visible(operator: httpx2.AsyncClient, calls: Calls) -> None:
    calls.accounts = (account_status(live=True),)
    for path in PAGES:
        html = await page(operator, path)
        assert "Live money" in html
        assert "Paper money" not in html


@pytest.mark.parametrize("path", [*PAGES, "/login"])
async def test_s27_no_page_has_a_script_or_a_style_of_its_own(
    operator: httpx2.AsyncClient, busy: World, path: str
) -> None:
    answer = await operator.get(path, headers={"accept": "text/html"})
    html = answer.text
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", html)
    assert not re.search(r"(src|href|action)=\"(https?:)?//", html)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert len(answer.content) < 60 * 1024


async def test_s27_what_others_wrote_is_text_and_nothing_else(
    operator: httpx2.AsyncClient, world: World, calls: Calls
) -> None:
    evil = world.signal(
        hook=HookId(EVIL),
        sleeve=Sleeve(EVIL),
        source=EVIL,
        body=EVIL,
        notes=(EVIL,),
        asks=(Ask(aim=Aim.CANCEL, symbol=EVIL),),
    )
    order = world.order(evil, sleeve=Sleeve(EVIL))
    denied = Denied(code=DenyCode.FIELD_INVALID, text=EVIL, field=EVIL, limit=EVIL, value=EVIL)
    world.denied(evil, order, denied)
    other = world.signal()
    sent = world.order(other, sleeve=Sleeve(EVIL))
    world.accepted(other, sent)
    world.filled(sent)
    calls.components = (Component(name=EVIL, status="degraded", text=EVIL),)
    calls.accounts = (account_status(state=TradingState.REDUCING, state_reason=EVIL),)
    await calls.halt(EVIL, EVIL)
    paths = [*PAGES, f"/orders/{order.cl_ord_id}", f"/signals/{evil.signal_id}", f"/orders/{sent.cl_ord_id}"]
    for path in [*paths, "/login?next=/%22%3E%3Cscript%3E"]:
        html = (await operator.get(path, headers={"accept": "text/html"})).text
        assert "<img" not in html
        assert "<script>" not in html
        assert "49" not in html.replace("{{7*7}}", "") or "{{7*7}}" in html
    missing = await operator.get("/orders/%3Cimg%20src=x%3E", headers={"accept": "text/html"})
    assert missing.status_code == 404
    assert "<img" not in missing.text


async def test_x5_every_line_leads_to_its_story(operator: httpx2.AsyncClient, busy: World) -> None:
    html = await page(operator, "/")
    links = set(re.findall(r'href="(/(?:orders|signals)/[0-9a-f]{32})"', html))
    assert len(links) >= 5
    for link in links:
        await page(operator, link)


async def test_the_story_of_a_doubt_offers_both_ways_out(operator: httpx2.AsyncClient, busy: World) -> None:
    html = await page(operator, f"/orders/{2:028x}{0:04x}")
    assert "In doubt: buy 0.5 BTC-USD on paper" in html
    assert 'value="abandon"' in html
    assert 'value="accept"' in html


async def test_the_story_of_an_order_by_hand_asks_what_came_of_it(operator: httpx2.AsyncClient, busy: World) -> None:
    html = await page(operator, f"/orders/{4:028x}{0:04x}")
    assert all(f'value="{verdict}"' in html for verdict in ("filled", "canceled", "rejected"))
    assert re.search(r'name="key" value="[0-9a-f]{16}"', html)


@pytest.mark.parametrize("path", ["/orders", "/signals"])
async def test_lists_are_narrowed_by_their_address(operator: httpx2.AsyncClient, busy: World, path: str) -> None:
    assert "No order" not in await page(operator, path)
    assert "fits the filter" in await page(operator, f"{path}?symbol=NOTHING")
    html = await page(operator, f"{path}?limit=2&symbol=BTC-USD")
    older = re.search(r'href="(/\w+\?[^"]*cursor=[^"]*)"', html)
    assert older is not None
    assert "symbol=BTC-USD" in older[1]
    await page(operator, older[1].replace("&amp;", "&"))


async def test_x9_a_person_places_an_order_once_however_often_the_button_is_pressed(
    operator: httpx2.AsyncClient, calls: Calls
) -> None:
    html = await page(operator, "/trade")
    key = re.search(r'name="key" value="([0-9a-f]{16})"', html)
    assert key is not None
    body = f"key={key[1]}&symbol=BTC-USD&side=sell&size=0.5&order_type=LIMIT&price=65000&venues=paper&stop_price="
    for _ in range(2):
        answer = await operator.post("/act/order", content=body, headers=FORM)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/orders/")
    first, second = calls.placed
    assert first.explicit_id == second.explicit_id == f"page-{key[1]}"
    assert (first.symbol, str(first.side), str(first.size), str(first.price)) == ("BTC-USD", "SELL", "0.5", "65000")
    assert (first.venues, first.stop_px) == (("paper",), None)


async def test_x9_a_denied_order_leads_to_its_story_too(
    operator: httpx2.AsyncClient, calls: Calls, world: World
) -> None:
    signal = world.signal()
    order = world.order(signal)
    denied = Denied(code=DenyCode.HALTED, text="trading state: halted")
    world.denied(signal, order, denied)

    def refuse(_: object) -> Acceptance:
        from nightdesk.model.order import OrderState

        ticket = Ticket(order=order, state=OrderState(), denied=denied)
        return Acceptance(
            outcome=SignalOutcome.REFUSED, signal_id=signal.signal_id, tickets=(ticket,), code=DenyCode.HALTED, text="x"
        )

    calls.place_answer = refuse
    body = "key=k&symbol=BTC-USD&side=buy&size=1"
    answer = await operator.post("/act/order", content=body, headers=FORM)
    assert answer.headers["location"] == f"/orders/{order.cl_ord_id}"


async def test_x9_a_position_is_closed_with_a_key_of_its_state(
    operator: httpx2.AsyncClient, calls: Calls, busy: World
) -> None:
    html = await page(operator, "/")
    form = re.search(r'action="/act/close".*?</form>', html, re.DOTALL)
    assert form is not None
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))
    answer = await operator.post("/act/close", content=str(httpx2.QueryParams(fields)), headers=FORM)
    assert answer.status_code == 303
    (asked,) = calls.placed
    assert (asked.close, asked.symbol, asked.sleeve, asked.venues) == (True, "BTC-USD", "trend", ("paper",))
    assert (asked.explicit_id or "").startswith("page-close-paper-BTC-USD-trend-")


async def test_x9_real_money_must_be_meant(operator: httpx2.AsyncClient, calls: Calls) -> None:
    calls.accounts = (account_status(live=True),)
    body = "key=k&symbol=BTC-USD&side=buy&size=1"
    answer = await operator.post("/act/order", content=body, headers=FORM)
    assert (answer.status_code, answer.json()["field"]) == (422, "confirmed")
    assert calls.placed == []
    assert (await operator.post("/act/order", content=f"{body}&confirmed=yes", headers=FORM)).status_code == 303


async def test_resuming_takes_two_steps(operator: httpx2.AsyncClient, calls: Calls) -> None:
    await operator.post("/act/halt", content="reason=odd+prices", headers=FORM)
    html = await page(operator, "/")
    assert "Trading is halted." in html
    assert "odd prices" in html
    assert "Step one of two" in await page(operator, "/resume")
    second = await operator.post("/act/resume", content="", headers=FORM)
    assert "Step two of two" in second.text
    assert calls.halted
    code = re.search(r'name="confirm" value="(\w+)"', second.text)
    assert code is not None
    await operator.post("/act/resume", content=f"confirm={code[1]}", headers=FORM)
    assert not calls.halted


async def test_what_a_form_got_wrong_is_a_page_that_says_so(operator: httpx2.AsyncClient) -> None:
    answer = await operator.post(
        "/act/order", content="key=k&symbol=BTC-USD&side=buy&size=lots", headers={**FORM, "accept": "text/html"}
    )
    assert answer.status_code == 422
    assert "field size" in answer.text
    assert "lots" in answer.text


@pytest.mark.parametrize(
    ("changes", "lamp", "headline"),
    [
        ({}, "green", "Ready, and waiting for the first signal."),
        ({"components": (Component(name="database", status="down", text="full."),)}, "red", "Database is down."),
        (
            {"components": (Component(name="market", status="degraded", text="stale"),)},
            "yellow",
            "Running, but market is degraded.",
        ),
        ({"halted": True}, "red", "Trading is halted."),
        (
            {"accounts": (account_status(state=TradingState.RECONCILING),)},
            "yellow",
            "Starting: paper is being compared.",
        ),
        ({"accounts": (account_status(state=TradingState.REDUCING),)}, "yellow", "One account needs you."),
    ],
)
def test_the_first_sentence_says_how_it_stands(
    desk: Desk, calls: Calls, changes: dict[str, object], lamp: str, headline: str
) -> None:
    for name, value in changes.items():
        setattr(calls, name, value)
    seen = look(desk)
    assert seen.lamp == lamp
    assert seen.headline.startswith(headline)


def test_the_figures_add_up(desk: Desk, world: World) -> None:
    signal = world.signal()
    order = world.order(signal)
    world.accepted(signal, order)
    world.filled(order, px="63000", fee="10")
    from nightdesk.runtime.clock import VirtualClock

    seen = look(replace(desk, clock=VirtualClock(world.now + timedelta(minutes=1))))
    assert (seen.equity, seen.exposure, seen.pnl) == (100490, 32000, 490)
    assert seen.orders_words == "1 filled"
    assert seen.signals_words == "1 signal today: 1 accepted"


def test_scripts_stay_within_their_budget() -> None:
    assert sum(path.stat().st_size for path in STATIC.glob("*.js")) < 30_000


async def test_static_files_are_kept_by_the_browser_and_named_by_their_content(
    anybody: httpx2.AsyncClient, operator: httpx2.AsyncClient
) -> None:
    html = await page(operator, "/")
    for link in re.findall(r'"(/static/[^"]+)"', html):
        answer = await anybody.get(link)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert (await anybody.get("/static/..%2frender.py")).status_code == 404
    assert (await anybody.get("/static/nothing.css")).status_code == 404


async def test_pages_need_no_script_to_be_read(desk: Desk, busy: World) -> None:
    transport = httpx2.ASGITransport(build_app(desk))
    async with httpx2.AsyncClient(transport=transport, base_url=ADDRESS) as client:
        client.headers["authorization"] = f"Bearer {OPERATOR_TOKEN}"
        html = await page(client, "/")
    assert "Filled" in html
    assert 'href="/halt"' in html
