"""The HTTP face of a paper exchange: one method per endpoint, JSON in and out, the account in the header X-Account."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from nightdesk.model.identifiers import AccountId, OrderId
from nightdesk.model.instrument import Instrument
from nightdesk.runtime.clock import Clock
from nightdesk.venues.paper.exchange import PaperExchange
from nightdesk.venues.paper.faults import read_fault
from nightdesk.venues.paper.ledger import read_ledger
from nightdesk.venues.paper.payload import (
    Malformed,
    compact,
    plain,
    read_moment,
    read_object,
    read_text,
    report_fields,
)
from nightdesk.venues.paper.replies import Fate, Reply
from nightdesk.venues.paper.server.cut import Cut, Transports
from nightdesk.venues.paper.tape import Gone, Tape

BEAT_SECONDS = 1.0
"""An event stream says at least this often that it is alive."""
LONGEST_BODY = 65_536
Endpoint = Callable[[Request], Awaitable[Response]]


class PaperRoutes:
    """The endpoints over one exchange. `transports` are the open connections by peer, so that one can be cut."""

    def __init__(self, exchange: PaperExchange, *, clock: Clock, transports: Transports) -> None:
        self._exchange = exchange
        self._clock = clock
        self._transports = transports
        self._epoch = format(int(clock.now().timestamp() * 1000), "x")
        self._tapes: dict[AccountId, Tape] = {}
        self._pumps: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def app(self) -> Starlette:
        """The application that answers."""
        return Starlette(
            routes=[
                Route("/v1/orders", _careful(self._submit), methods=["POST"]),
                Route("/v1/orders", _careful(self._read(self._open_orders)), methods=["GET"]),
                Route("/v1/orders/{client_id}", _careful(self._read(self._order)), methods=["GET"]),
                Route("/v1/cancel", _careful(self._cancel), methods=["POST"]),
                Route("/v1/fills", _careful(self._read(self._fills)), methods=["GET"]),
                Route("/v1/account", _careful(self._read(self._snapshot)), methods=["GET"]),
                Route("/v1/instruments", _careful(self._read(self._instruments)), methods=["GET"]),
                Route("/v1/events", _careful(self._events), methods=["GET"]),
                Route("/v1/faults", _careful(self._add_fault), methods=["POST"]),
                Route("/v1/faults", _careful(self._clear_faults), methods=["DELETE"]),
                Route("/v1/ledger", _careful(self._ledger), methods=["GET"]),
            ]
        )

    def stop(self) -> None:
        """Streams end and hanging answers are given up."""
        self._stopping.set()
        for tape in self._tapes.values():
            tape.wake()
        for task in self._pumps:
            task.cancel()

    async def _submit(self, request: Request) -> Response:
        return self._respond(self._exchange.submit(_account(request), await _body(request)))

    async def _cancel(self, request: Request) -> Response:
        fields = read_object(await _body(request))
        order_id = read_text(fields, "order_id")
        reply = self._exchange.cancel(
            _account(request), read_text(fields, "client_id"), OrderId(order_id) if order_id else None
        )
        return self._respond(reply)

    async def _order(self, request: Request) -> Response:
        report = self._exchange.order_status(_account(request), request.path_params["client_id"])
        return self._respond(Reply(report=report, text="" if report is not None else "no such order"))

    async def _open_orders(self, request: Request) -> Response:
        if request.query_params.get("open") != "1":
            raise Malformed("only open orders are listed: add open=1")
        reports = self._exchange.open_orders(_account(request))
        return JSONResponse({"reports": [report_fields(report) for report in reports]})

    async def _fills(self, request: Request) -> Response:
        since = read_moment(request.query_params, "since")
        if since is None:
            raise Malformed("since is missing")
        fills = self._exchange.fills(_account(request), since)
        return JSONResponse({"reports": [report_fields(report) for report in fills]})

    async def _snapshot(self, request: Request) -> Response:
        snapshot = self._exchange.snapshot(_account(request))
        holdings = [
            {"symbol": one.symbol, "qty": plain(one.qty), "avg_px": plain(one.avg_px)} for one in snapshot.holdings
        ]
        balances = {currency: plain(amount) for currency, amount in snapshot.balances.items()}
        return JSONResponse({"at": snapshot.at.isoformat(), "balances": balances, "holdings": holdings})

    async def _instruments(self, request: Request) -> Response:
        del request
        return JSONResponse({"instruments": [instrument_fields(one) for one in self._exchange.instruments]})

    async def _events(self, request: Request) -> Response:
        account = _account(request)
        tape = self._tapes.get(account)
        if tape is None:
            tape = self._tapes[account] = Tape(asyncio.get_running_loop(), self._epoch)
            self._exchange.listen(account, tape.put)
        number = tape.start(request.query_params.get("after", ""))
        try:
            tape.after(number)
        except Gone:
            return _error(410, "gone", "The events after this cursor are no longer kept. Read fills and open orders.")
        return StreamingResponse(self._lines(tape, number), media_type="application/x-ndjson")

    async def _lines(self, tape: Tape, number: int) -> AsyncIterator[str]:
        yield compact({"cursor": tape.cursor()}) + "\n" if number == tape.start("") else ""
        while not self._stopping.is_set():
            try:
                lines, number = tape.after(number)
            except Gone:
                return  # too slow a reader: cut off, so that it notices
            yield lines or compact({"cursor": tape.cursor()}) + "\n"
            try:
                async with self._clock.timeout(BEAT_SECONDS):
                    await tape.grown(number)
            except TimeoutError:
                continue

    async def _add_fault(self, request: Request) -> Response:
        self._exchange.inject(read_fault(read_object(await _body(request))))
        return JSONResponse({})

    async def _clear_faults(self, request: Request) -> Response:
        del request
        self._exchange.clear_faults()
        return JSONResponse({})

    async def _ledger(self, request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not after.isdecimal():
            raise Malformed("after is not a line number")
        lines = read_ledger(self._exchange.ledger.path) if self._exchange.ledger is not None else []
        text = "".join(compact(line) + "\n" for line in lines[int(after) :])
        return Response(text, media_type="application/x-ndjson")

    def _read(self, endpoint: Endpoint) -> Endpoint:
        async def disturbed(request: Request) -> Response:
            reply = self._exchange.disturbance(_account(request), request.path_params.get("client_id", ""))
            return self._respond(reply) if reply is not None else await endpoint(request)

        return disturbed

    def _respond(self, reply: Reply) -> Response:
        if reply.wake_after is not None:
            task = asyncio.get_running_loop().create_task(self._pump_after(reply.wake_after))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)
        match reply.fate:
            case Fate.ANSWER:
                if reply.report is None:
                    return _error(404, "unknown_order", reply.text)
                return JSONResponse({"report": report_fields(reply.report)})
            case Fate.REFUSED:
                return _error(400, "refused", reply.text)
            case Fate.RATE_LIMITED:
                response = _error(429, "rate_limited", "Too many requests.")
                response.headers["Retry-After"] = str(int(reply.retry_after or 1))
                return response
            case Fate.HTML_500:
                return Response("<html><body><h1>500</h1></body></html>", status_code=500, media_type="text/html")
            case Fate.GARBAGE:
                return Response('{"report": {"ord_status": "FIL', media_type="application/json")
            case Fate.DROP:
                return Cut(self._transports, self._stopping)
            case Fate.HANG:
                return Cut({}, self._stopping)

    async def _pump_after(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._exchange.pump()


def instrument_fields(instrument: Instrument) -> dict[str, Any]:
    """The instrument as JSON fields."""
    return {
        "symbol": instrument.symbol,
        "base": instrument.base,
        "quote": instrument.quote,
        "tick_size": plain(instrument.tick_size),
        "lot_size": plain(instrument.lot_size),
        "min_qty": plain(instrument.min_qty),
        "min_notional": plain(instrument.min_notional),
        "shortable": instrument.shortable,
    }


def _careful(endpoint: Endpoint) -> Endpoint:
    """What is wrong with a request is told in our JSON; a ledger that fails leaves the outcome open."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Malformed as e:
            return _error(400, "malformed", str(e))
        except OSError as e:
            return _error(503, "ledger", f"The ledger cannot be written: {e.strerror}. Free disk space.")

    return answer


def _error(status: int, code: str, text: str) -> Response:
    return Response(
        json.dumps({"error": {"code": code, "text": text}}), status_code=status, media_type="application/json"
    )


def _account(request: Request) -> AccountId:
    account = request.headers.get("x-account", "")
    if not 0 < len(account) <= 64:
        raise Malformed("the header X-Account is missing")
    return AccountId(account)


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise Malformed(f"the body is longer than {LONGEST_BODY} bytes")
    return body
