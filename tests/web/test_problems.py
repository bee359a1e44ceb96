"""Every answer that says no: one shape, a code, a next step, and nothing of our insides. S31."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import httpx2
import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.runtime.database import StoreUnavailable
from nightdesk.web.desk import Desk
from nightdesk.web.problems import RETRY_AFTER, Problem, WebCode, status_of
from nightdesk.web.server import build_app
from tests.web.conftest import ADDRESS
from tests.web.desks import OPERATOR_TOKEN, WEBHOOK, Calls

SHAPE = {"error", "code", "field", "next_step", "signal_id", "dex", "timestamp", "detail"}
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "api.md"


@pytest.mark.parametrize("code", [*DenyCode, *WebCode])
def test_every_code_has_words_a_next_step_and_a_status(code: DenyCode | WebCode) -> None:
    problem = Problem(code)
    assert problem.text
    assert problem.next_step
    assert problem.status == status_of(code)
    assert problem.status in {200, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 500, 503}
    if problem.status in RETRY_AFTER:
        assert int(problem.headers["retry-after"]) > 0


@pytest.mark.parametrize("code", [*WebCode])
def test_every_code_of_the_web_has_a_line_in_the_guide(code: WebCode) -> None:
    assert f"`{code.name}`" in GUIDE.read_text(encoding="utf-8")


@pytest.mark.parametrize("outer", ["DEX_TIMEOUT", "DEX_ERROR", "DEX_REJECTED", "INSUFFICIENT_FUNDS", "ACCEPTED"])
def test_every_code_of_a_result_has_a_line_in_the_guide(outer: str) -> None:
    assert f"`{outer}`" in GUIDE.read_text(encoding="utf-8")


WRONG: list[tuple[str, str, Any, int, str]] = [
    ("GET", "/api/nothing", None, 404, "NOT_FOUND"),
    ("GET", "/nothing", None, 404, "NOT_FOUND"),
    ("GET", "/api/orders/", None, 404, "NOT_FOUND"),
    ("DELETE", "/api/orders", None, 405, "METHOD_NOT_ALLOWED"),
    ("TRACE", "/api/orders", None, 405, "METHOD_NOT_ALLOWED"),
    ("GET", "/api/orders/no-such-order", None, 404, "UNKNOWN_ORDER"),
    ("GET", "/api/orders/%00", None, 404, "UNKNOWN_ORDER"),
    ("GET", "/api/orders/%ED%A0%80", None, 404, "UNKNOWN_ORDER"),
    ("GET", "/api/signals/nope", None, 404, "NOT_FOUND"),
    ("GET", "/api/signals/%00", None, 404, "NOT_FOUND"),
    ("GET", "/api/executions/nope", None, 404, "NOT_FOUND"),
    ("GET", "/api/executions/a.%00", None, 404, "NOT_FOUND"),
    ("GET", "/api/orders?limit=0", None, 422, "FIELD_INVALID"),
    ("GET", "/api/orders?limit=501", None, 422, "FIELD_INVALID"),
    ("GET", "/api/orders?limit=1000000000", None, 422, "FIELD_INVALID"),
    ("GET", "/api/orders?limit=%D9%A1", None, 422, "FIELD_INVALID"),
    ("GET", "/api/orders?cursor=nonsense", None, 422, "FIELD_INVALID"),
    ("GET", "/api/orders?cursor=%C3%A9", None, 422, "FIELD_INVALID"),
    ("GET", "/api/orders?status=DONE", None, 422, "FIELD_INVALID"),
    ("GET", "/api/orders?since=yesterday", None, 422, "FIELD_INVALID"),
    ("GET", "/api/orders?symbol=%00", None, 422, "FIELD_INVALID"),
    ("GET", "/api/orders?vneue=paper", None, 422, "FIELD_INVALID"),
    ("GET", "/api/signals?outcome=DONE", None, 422, "FIELD_INVALID"),
    ("POST", "/api/orders", b"not json", 400, "INVALID_SIGNAL"),
    ("POST", "/api/orders", b"[" * 100_000, 413, "BODY_TOO_LARGE"),
    ("POST", "/api/orders", b"[" * 10_000, 400, "BODY_TOO_DEEP"),
    ("POST", "/api/orders", b"[]", 400, "INVALID_SIGNAL"),
    ("POST", "/api/orders", b"{}", 422, "FIELD_MISSING"),
    ("POST", "/api/orders", b'{"symbol": "BTC-USD", "size": "1"}', 422, "FIELD_MISSING"),
    ("POST", "/api/orders", b'{"symbol": "BTC-USD", "side": "buy"}', 422, "FIELD_MISSING"),
    ("POST", "/api/orders", b'{"symbol": "BTC-USD", "side": "up", "size": "1"}', 422, "FIELD_INVALID"),
    ("POST", "/api/orders", b'{"symbol": "BTC-USD", "side": "buy", "size": true}', 422, "FIELD_INVALID"),
    ("POST", "/api/orders", b'{"symbol": "BTC-USD", "side": "buy", "size": NaN}', 422, "FIELD_INVALID"),
    ("POST", "/api/orders", b'{"symbol": "BTC-USD", "side": "buy", "size": 1e400}', 422, "FIELD_INVALID"),
    ("POST", "/api/orders", b'{"symbol": "BTC-USD", "side": "buy", "size": "1_000"}', 422, "FIELD_INVALID"),
    ("POST", "/api/orders", '{"symbol": "BTC-USD", "side": "buy", "size": "\uff11"}'.encode(), 422, "FIELD_INVALID"),
    ("POST", "/api/orders", b'{"symbol": "BTC-USD", "side": "buy", "size": "-1"}', 422, "FIELD_INVALID"),
    ("POST", "/api/orders", b'{"symbol": "BTC-USD", "side": "buy", "size": "0"}', 422, "FIELD_INVALID"),
    ("POST", "/api/orders", b'{"symbol": "B", "side": "buy", "size": 1, "size": 2}', 422, "FIELD_INVALID"),
    ("POST", "/api/orders", b'{"symbol": "B", "side": "buy", "size": 1, "sise": 2}', 422, "FIELD_INVALID"),
    ("POST", "/api/orders", b'{"symbol": "\\ud800", "side": "buy", "size": 1}', 422, "FIELD_INVALID"),
    ("POST", "/api/orders", b'{"symbol": {"a": 1}, "side": "buy", "size": 1}', 422, "FIELD_INVALID"),
    ("POST", "/api/orders?wait=perhaps", b"{}", 422, "FIELD_INVALID"),
    ("POST", "/api/orders/missing/cancel", b"", 404, "UNKNOWN_ORDER"),
    ("POST", "/api/orders/ended/cancel", b"", 409, "ORDER_ENDED"),
    ("POST", "/api/orders/x/settle", b"{}", 422, "FIELD_INVALID"),
    ("POST", "/api/orders/x/settle", b'{"action": "explode"}', 422, "FIELD_INVALID"),
    ("POST", "/api/orders/x/settle", b'{"action": "accept", "more": 1}', 422, "FIELD_INVALID"),
    ("POST", "/api/orders/x/settle", b'{"action": "filled", "qty": "many"}', 422, "FIELD_INVALID"),
    ("POST", "/api/positions/close", b'{"symbol": "BTC-USD", "side": "buy"}', 422, "FIELD_INVALID"),
    ("POST", "/api/halt", b'{"reason": 1e5}', 200, ""),
    ("POST", "/api/halt", b'{"reason": ["a"]}', 422, "FIELD_INVALID"),
    ("POST", "/api/halt", b'{"why": "x"}', 422, "FIELD_INVALID"),
    ("POST", "/api/resume", b'{"confirm": "wrong"}', 422, "HALTED"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), WRONG)
async def test_row_76_bad_input_is_4xx_with_code_and_next_step_and_never_500(
    operator: httpx2.AsyncClient, calls: Calls, method: str, path: str, body: bytes | None, status: int, code: str
) -> None:
    headers = {"content-type": "application/json"} if body is not None else {}
    answer = await operator.request(method, path, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    if code:
        found = answer.json()
        assert found.keys() >= SHAPE
        assert found["code"] == code
        assert found["next_step"]
        assert found["error"] == found["detail"]
        assert calls.placed == []


async def failing(desk: Desk, error: Exception, path: str, **headers: str) -> httpx2.Response:
    def fail() -> NoReturn:
        raise error

    app = build_app(replace(desk, status=fail))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ADDRESS) as client:
        return await client.get(path, headers={"authorization": f"Bearer {OPERATOR_TOKEN}", **headers})


@pytest.mark.parametrize("path", ["/api/status", "/api/health", "/api/accounts", "/"])
async def test_s31_an_error_nobody_foresaw_shows_no_trace(desk: Desk, path: str) -> None:
    answer = await failing(desk, ValueError(f"in /home/x.py with {WEBHOOK}"), path)
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_ERROR")
    for inside in ("Traceback", "/home/x.py", "ValueError", WEBHOOK):
        assert inside not in answer.text


async def test_on_a_page_it_is_a_page(desk: Desk) -> None:
    answer = await failing(desk, ValueError("x"), "/", accept="text/html")
    assert answer.status_code == 500
    assert answer.text.startswith("<!doctype html>")
    assert "INTERNAL_ERROR" in answer.text


async def test_row_51_a_database_that_does_not_answer_is_503(desk: Desk) -> None:
    answer = await failing(desk, StoreUnavailable("/data/nightdesk.db is locked"), "/api/accounts")
    assert (answer.status_code, answer.json()["code"]) == (503, "STORE_UNAVAILABLE")
    assert answer.headers["retry-after"] == "2"
    assert "nightdesk.db" not in answer.text


async def test_a_code_inside_a_request_that_is_wrong_asks_for_no_login(desk: Desk) -> None:
    error = Refused(DenyCode.INVALID_TOKEN, "the code is older than five minutes; begin again", field="confirm")
    answer = await failing(desk, error, "/api/accounts")
    assert answer.status_code == 403
    assert "www-authenticate" not in answer.headers
    assert answer.json()["next_step"] == "Begin again."


async def test_an_unknown_page_is_a_page_and_leads_back(operator: httpx2.AsyncClient) -> None:
    answer = await operator.get("/nothing", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert 'href="/"' in answer.text


async def test_s31_there_are_no_generated_docs(operator: httpx2.AsyncClient) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert (await operator.get(path)).status_code == 404
