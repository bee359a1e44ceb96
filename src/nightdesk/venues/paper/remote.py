"""The paper exchange of another process as a venue, over HTTP.

Whether an order may have left is decided by proof: the gate is asked at the moment the transport starts to write the
request, so whatever fails before that was not sent, and whatever fails after it is unknown.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn, TypeVar

import httpx2

from nightdesk.model.enums import ExecType, OrdStatus
from nightdesk.model.errors import NotSent, OutcomeUnknown, RateLimited, Unsupported, VenueClosed, VenueError
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import AccountId, OrderId, Symbol, VenueId
from nightdesk.model.instrument import Instrument
from nightdesk.model.order import Order
from nightdesk.model.venue import AccountSnapshot, Capabilities, Gate, Holding, Wire
from nightdesk.runtime.clock import Clock
from nightdesk.venues.paper.adapter import capabilities_of, wire_of
from nightdesk.venues.paper.config import PaperConfig
from nightdesk.venues.paper.payload import (
    Malformed,
    compact,
    read_amount,
    read_moment,
    read_object,
    read_positive,
    read_report,
    read_text,
)

SILENCE_SECONDS = 5.0
"""A stream that says nothing for so long is broken; the server says something every second."""
LONGEST_WAIT = 3600.0
"""Seconds; a longer Retry-After is cut to this."""
Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    fields: dict[str, Any]
    error: str | None
    """The text of the server's own error, None where there is none."""
    code: str
    retry_after: float | None


class PaperRemote:
    """One account at a `nightdesk paper` server."""

    def __init__(self, config: PaperConfig, account_id: AccountId, *, clock: Clock) -> None:
        self._account = account_id
        self._clock = clock
        self._seconds = config.timeout_seconds
        self._venue = VenueId(config.name)
        self._capabilities = capabilities_of(config)
        self._cursor = ""
        self._closed = False
        self._client = httpx2.AsyncClient(
            base_url=config.url,
            headers={"X-Account": account_id},
            timeout=httpx2.Timeout(self._seconds),
            follow_redirects=False,
            trust_env=False,
            # Plain HTTP needs no certificates, and reading them takes 20 ms of every start.
            verify=config.url.startswith("https:"),
        )

    @property
    def venue(self) -> VenueId:
        """Its name in configuration."""
        return self._venue

    @property
    def capabilities(self) -> Capabilities:
        """Class A, or B while client ids need not be unique."""
        return self._capabilities

    async def instruments(self) -> Sequence[Instrument]:
        """Everything it lists."""
        answer = await self._get("/v1/instruments")
        return self._parsed(lambda: [_instrument(one, self._venue) for one in _rows(answer.fields, "instruments")])

    def prepare(self, order: Order, *, now: datetime) -> Wire:
        """The message for an order."""
        return wire_of(order, now=now, validity=self._capabilities.validity)

    async def submit(self, wire: Wire, gate: Gate) -> ExecutionReport:
        """What the server answered: its report, or REJECTED where it turned the order away in so many words."""
        answer = await self._send("/v1/orders", wire.payload, gate)
        if answer.status == 200:
            report = self._answered(answer)
            if report.cl_ord_id != wire.cl_ord_id:
                raise OutcomeUnknown(f"{self._venue} answered about another order. Ask it for this one.")
            return report
        if 400 <= answer.status < 500 and answer.error is not None:
            return ExecutionReport(
                cl_ord_id=wire.cl_ord_id,
                exec_type=ExecType.REJECTED,
                ord_status=OrdStatus.REJECTED,
                text=answer.error,
                transact_time=self._clock.now(),
            )
        self._unreadable(answer)

    async def cancel(self, order: Order, order_id: OrderId | None, gate: Gate) -> ExecutionReport:
        """CANCELED, or the order as it stands; OutcomeUnknown for an order not known there, which may yet arrive."""
        named = {"client_id": order.cl_ord_id} | ({"order_id": order_id} if order_id is not None else {})
        answer = await self._send("/v1/cancel", compact(named).encode(), gate)
        if answer.status == 200:
            return self._answered(answer)
        if answer.status == 404 and answer.code == "unknown_order":
            raise OutcomeUnknown(f"{self._venue} knows no such order, which does not rule out that it arrives later.")
        if answer.status == 400 and answer.error is not None:
            raise Unsupported(f"{self._venue} refused the cancel: {answer.error}")
        self._unreadable(answer)

    async def order_status(self, order: Order) -> ExecutionReport | None:
        """The order as the server knows it, None when it states that it knows no such order."""
        answer = await self._get(f"/v1/orders/{order.cl_ord_id}", missing="unknown_order")
        if answer.status == 404:
            return None
        return self._parsed(lambda: read_report(answer.fields.get("report")))

    async def open_orders(self) -> Sequence[ExecutionReport]:
        """All open orders of the account, ours or not."""
        answer = await self._get("/v1/orders", {"open": "1"})
        return self._parsed(lambda: [read_report(one) for one in _rows(answer.fields, "reports")])

    async def fills(self, since: datetime) -> Sequence[ExecutionReport]:
        """All fills of the account since a moment, oldest first."""
        answer = await self._get("/v1/fills", {"since": since.isoformat()})
        return self._parsed(lambda: [read_report(one) for one in _rows(answer.fields, "reports")])

    async def account(self) -> AccountSnapshot:
        """Balances and positions."""
        answer = await self._get("/v1/account")
        return self._parsed(lambda: _snapshot(answer.fields, self._account))

    async def reports(self) -> AsyncGenerator[ExecutionReport, None]:
        """Every report from the moment the stream is open, until closed.

        VenueError when the stream breaks or falls silent; iterating anew goes on after the last report seen, but for
        what a restart of the server or a long absence lost: read fills and open orders then.
        """
        timeout = httpx2.Timeout(self._seconds, read=SILENCE_SECONDS)
        params = {"after": self._cursor} if self._cursor else {}
        try:
            async with self._client.stream("GET", "/v1/events", params=params, timeout=timeout) as response:
                if response.status_code != 200:
                    self._cursor = ""
                    raise VenueError(f"{self._venue} answered {response.status_code} to the stream.")
                async for line in response.aiter_lines():
                    fields = read_object(line)
                    report = read_report(fields["report"]) if "report" in fields else None
                    self._cursor = read_text(fields, "cursor")
                    if report is not None:
                        yield report
        except (httpx2.HTTPError, httpx2.StreamError, Malformed) as e:
            if self._closed:
                return
            raise VenueError(f"The stream of {self._venue} broke ({type(e).__name__}). It is opened again.") from e
        if not self._closed:
            raise VenueError(f"{self._venue} ended the stream. It is opened again.")

    async def close(self) -> None:
        """All connections are closed and streams have ended."""
        self._closed = True
        await self._client.aclose()

    async def _send(self, path: str, body: bytes, gate: Gate) -> _Answer:
        left = False

        async def trace(event: str, info: Mapping[str, Any]) -> None:
            nonlocal left
            del info
            if event.endswith("send_request_headers.started") and not left:
                gate()
                left = True

        try:
            async with self._clock.timeout(self._seconds):
                response = await self._client.post(path, content=body, extensions={"trace": trace})
        except NotSent:
            raise
        except (httpx2.HTTPError, TimeoutError) as e:
            reason = type(e).__name__
            if left:
                raise OutcomeUnknown(f"{self._venue} gave no usable answer ({reason}). Ask it for the order.") from e
            raise VenueClosed(f"{self._venue} could not be reached ({reason}). Check that its server runs.") from e
        answer = _answer(response)
        if answer.status == 429 and answer.error is not None:
            # Definite only because this server documents that it looks at nothing before it answers 429.
            raise RateLimited(f"{self._venue} takes no more requests for now.", retry_after=answer.retry_after)
        return answer

    async def _get(self, path: str, params: dict[str, str] | None = None, *, missing: str = "") -> _Answer:
        try:
            async with self._clock.timeout(self._seconds):
                answer = _answer(await self._client.get(path, params=params))
        except (httpx2.HTTPError, TimeoutError) as e:
            raise VenueError(f"{self._venue} could not be read ({type(e).__name__}). It is asked again later.") from e
        if answer.status == 200 or (answer.status == 404 and missing and answer.code == missing):
            return answer
        if answer.status == 429:
            raise RateLimited(f"{self._venue} takes no more requests for now.", retry_after=answer.retry_after)
        raise VenueError(f"{self._venue} answered {answer.status} to a reading call. It is asked again later.")

    def _answered(self, answer: _Answer) -> ExecutionReport:
        try:
            return read_report(answer.fields.get("report"))
        except Malformed as e:
            raise OutcomeUnknown(f"{self._venue} answered something unreadable: {e}. Ask it for the order.") from e

    def _unreadable(self, answer: _Answer) -> NoReturn:
        raise OutcomeUnknown(f"{self._venue} answered {answer.status} and no report. Ask it for the order.")

    def _parsed(self, read: Callable[[], Parsed]) -> Parsed:
        try:
            return read()
        except Malformed as e:
            raise VenueError(f"{self._venue} answered something unreadable: {e}. It is asked again later.") from e


def _answer(response: httpx2.Response) -> _Answer:
    try:
        fields = read_object(response.content)
    except Malformed:
        fields = {}
    error = fields.get("error")
    told = error if isinstance(error, dict) else {}
    text, code = told.get("text"), told.get("code")
    wait = response.headers.get("retry-after", "")
    return _Answer(
        status=response.status_code,
        fields=fields,
        error=text[:500] if isinstance(text, str) else None,
        code=code if isinstance(code, str) else "",
        retry_after=min(float(wait), LONGEST_WAIT) if wait.isascii() and wait.isdecimal() else None,
    )


def _rows(fields: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    rows = fields.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Malformed(f"{key} is not a list of objects")
    return rows


def _needed(value: Decimal | None, key: str) -> Decimal:
    if value is None:
        raise Malformed(f"{key} is missing")
    return value


def _instrument(fields: Mapping[str, Any], venue: VenueId) -> Instrument:
    symbol = read_text(fields, "symbol")
    if not symbol:
        raise Malformed("symbol is missing")
    return Instrument(
        symbol=Symbol(symbol),
        venue=venue,
        venue_symbol=symbol,
        base=read_text(fields, "base"),
        quote=read_text(fields, "quote"),
        tick_size=_needed(read_positive(fields, "tick_size"), "tick_size"),
        lot_size=_needed(read_positive(fields, "lot_size"), "lot_size"),
        min_qty=_needed(read_positive(fields, "min_qty", zero=True), "min_qty"),
        min_notional=_needed(read_positive(fields, "min_notional", zero=True), "min_notional"),
        shortable=fields.get("shortable") is True,
    )


def _snapshot(fields: Mapping[str, Any], account: AccountId) -> AccountSnapshot:
    at, balances = read_moment(fields, "at"), fields.get("balances")
    if at is None or not isinstance(balances, dict):
        raise Malformed("at or balances is missing")
    return AccountSnapshot(
        account_id=account,
        at=at,
        balances={currency: _needed(read_amount(balances, currency), currency) for currency in balances},
        holdings=tuple(
            Holding(
                symbol=Symbol(read_text(row, "symbol")),
                qty=_needed(read_amount(row, "qty"), "qty"),
                avg_px=read_amount(row, "avg_px"),
            )
            for row in _rows(fields, "holdings")
        ),
    )
