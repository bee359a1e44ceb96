"""What people may do to the desk: cancel, answer, settle, halt and resume. Every one of them is on the audit chain."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from nightdesk.accounts import audit
from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import AccountId, ClOrdId, Symbol
from nightdesk.model.market import Prices
from nightdesk.model.order import Order
from nightdesk.orders import person
from nightdesk.orders.accept import Accept
from nightdesk.orders.emergency import Emergency
from nightdesk.orders.heart import Heart
from nightdesk.orders.intent import Destination
from nightdesk.orders.person import Decide, Outcome
from nightdesk.risk.halt import RESUME_WITHIN, HaltSwitch, resume_digest, resume_matches
from nightdesk.risk.store import GLOBAL, HaltRow, read_halt, write_halt
from nightdesk.runtime.clock import Clock
from nightdesk.runtime.database import StoreUnavailable, Tx, from_micros, to_micros
from nightdesk.runtime.reader import Reader
from nightdesk.runtime.writer import Overloaded, Writer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAnswer:
    """What a person says became of an order that is carried out by hand; the same `answer_id` twice is one answer."""

    answer_id: str
    cl_ord_id: ClOrdId
    verdict: str
    """`filled`, `canceled` or `rejected`."""
    actor: str
    qty: Decimal | None = None
    px: Decimal | None = None
    text: str = ""


class Controls:
    """The operations, each durable when it returns."""

    def __init__(
        self,
        *,
        writer: Writer,
        decide: Decide,
        accept: Accept,
        halt: HaltSwitch,
        heart: Heart,
        reader: Reader,
        emergency: Emergency,
        clock: Clock,
        prices: Prices,
        destination_of: Callable[[AccountId, Symbol], Destination | None],
        answer: Callable[[Order, PersonAnswer], ExecutionReport],
        on_changed: Callable[[Iterable[str]], None],
    ) -> None:
        self._writer = writer
        self._decide = decide
        self._accept = accept
        self._halt = halt
        self._heart = heart
        self._reader = reader
        self._emergency = emergency
        self._clock = clock
        self._prices = prices
        self._destination_of = destination_of
        self._answer = answer
        self._on_changed = on_changed

    async def cancel(self, cl_ord_id: ClOrdId, actor: str) -> None:
        """The order is being canceled, also while the database takes no writes.

        Raises Refused UNKNOWN_ORDER or ORDER_ENDED.
        """
        try:
            await self._run(actor, "order.cancel", cl_ord_id, lambda tx, now: person.cancel(tx, cl_ord_id, actor, now))
        except (StoreUnavailable, Overloaded):
            stored = await self._reader.read(lambda tx: person.required(tx, cl_ord_id))
            await self._heart.ask(lambda _: self._emergency.cancel(stored.order, actor))

    async def settle(self, cl_ord_id: ClOrdId, action: str, actor: str, text: str = "") -> None:
        """A held order was approved or declined, or a doubt abandoned or accepted, on record."""
        if action == "approve":
            await self._run(actor, "order.approve", cl_ord_id, lambda tx, now: self._approve(tx, cl_ord_id, actor, now))
        elif action == "decline":
            await self._run(
                actor, "order.decline", cl_ord_id, lambda tx, now: person.decline(tx, cl_ord_id, actor, now)
            )
        elif action in ("abandon", "accept"):
            await self._run(
                actor,
                f"order.{action}",
                cl_ord_id,
                lambda tx, now: person.settle(tx, cl_ord_id, action, actor, now, text),
            )
        else:
            raise Refused(
                DenyCode.FIELD_INVALID,
                f"the action {action[:40]} is not known; use approve, decline, abandon or accept",
                field="action",
            )

    async def answer(self, given: PersonAnswer) -> None:
        """A person's answer about an order carried out by hand is among its facts, and on record."""

        def answered(tx: Tx, now: datetime) -> Outcome:
            report = self._answer(person.required(tx, given.cl_ord_id).order, given)
            return person.answered(tx, given.cl_ord_id, report, given.actor, now)

        await self._run(given.actor, f"order.{given.verdict}", given.cl_ord_id, answered, given.text)

    def _approve(self, tx: Tx, cl_ord_id: ClOrdId, actor: str, now: datetime) -> Outcome:
        stored = person.required(tx, cl_ord_id)
        where = self._destination_of(stored.order.account_id, stored.order.symbol)
        if where is None:
            raise Refused(DenyCode.UNKNOWN_VENUE, f"{stored.order.venue} is not enabled any more", field="venue")
        denied = self._accept.judge_again(tx, stored, where)
        if denied is not None:
            return person.deny_held(tx, cl_ord_id, denied, now)
        return person.approve(tx, cl_ord_id, actor, now)

    async def halt(self, reason: str, actor: str) -> None:
        """No new exposure from this moment: flag and file first, then the row, the queued entries and the cancels.

        Holds also when the database takes no writes; the file halts the next start as well.
        """
        self._halt.halt(reason, actor)
        self._on_changed(("status",))
        try:
            await self._run(
                actor, "desk.halt", GLOBAL, lambda tx, now: self._record_halt(tx, reason, actor, now), reason
            )
        except (StoreUnavailable, Overloaded) as error:
            log.error("halt.not_recorded", extra={"reason": str(error)})
            entries = await self._reader.read(lambda tx: person.entries_at_venues(tx, self._heart.venues))
            await self._heart.ask(lambda _: self._cancel_unrecorded([each.order for each in entries], actor))

    async def _cancel_unrecorded(self, orders: Sequence[Order], actor: str) -> None:
        await asyncio.gather(*(self._emergency.cancel(order, actor) for order in orders))

    def _record_halt(self, tx: Tx, reason: str, actor: str, now: datetime) -> Outcome:
        write_halt(tx, HaltRow(scope=GLOBAL, halted=True, reason=reason, actor=actor, at=to_micros(now)))
        return person.stop_entries(tx, self._heart.venues, actor, now)

    async def resume_begin(self, actor: str) -> str:
        """The code that confirms the resume; good for five minutes and one use.

        Raises Refused when not halted.
        """
        code = secrets.token_hex(3).upper()

        def begin(tx: Tx, now: datetime) -> Outcome:
            row = read_halt(tx)
            if row is None or not row.halted:
                if not self._halt.state.halted:
                    raise Refused(DenyCode.ORDER_ENDED, "trading is not halted")
                state = self._halt.state
                row = HaltRow(scope=GLOBAL, halted=True, reason=state.reason, actor=state.actor, at=to_micros(now))
            until = to_micros(now + RESUME_WITHIN)
            write_halt(tx, replace(row, resume_digest=resume_digest(code), resume_until=until))
            return Outcome()

        await self._run(actor, "desk.resume_begun", GLOBAL, begin)
        return code

    async def resume_confirm(self, code: str, actor: str) -> None:
        """Trading goes on.

        Raises Refused where the code is wrong or too old.
        """

        def confirm(tx: Tx, now: datetime) -> Outcome:
            row = read_halt(tx)
            if row is None or not resume_matches(code.strip().upper(), row.resume_digest):
                raise Refused(
                    DenyCode.INVALID_TOKEN, "the code is not the one last given; begin again", field="confirm"
                )
            if row.resume_until is None or now > from_micros(row.resume_until):
                raise Refused(
                    DenyCode.INVALID_TOKEN, "the code is older than five minutes; begin again", field="confirm"
                )
            write_halt(tx, HaltRow(scope=GLOBAL, halted=False, reason="", actor=actor, at=to_micros(now)))
            return Outcome()

        await self._run(actor, "desk.resumed", GLOBAL, confirm)
        self._halt.lift()
        self._on_changed(("status",))

    async def acknowledge(self, account_id: AccountId, actor: str) -> None:
        """The account's mismatch is seen: the venue's truth is booked to EXTERNAL and the account trades again."""
        venue = self._heart.venues.get(account_id)
        if venue is None:
            raise Refused(DenyCode.UNKNOWN_VENUE, f"there is no account {account_id[:64]}", field="account")
        booked = await self._heart.ask(lambda heart: heart.reconciler.acknowledge(account_id, venue, self._price_of))
        await self._note(actor, "account.acknowledged", account_id, "; ".join(booked))
        self._on_changed(("status",))

    def _price_of(self, symbol: Symbol) -> Decimal:
        quote = self._prices.quote(symbol)
        if quote is None:
            raise Refused(DenyCode.PRICE_MISSING, f"no price of {symbol} is known to book the difference at")
        return quote.mid

    async def _run(
        self, actor: str, action: str, subject: str, work: Callable[[Tx, datetime], Outcome], detail: str = ""
    ) -> None:
        def decide(tx: Tx) -> Outcome:
            now = self._clock.now()
            outcome = work(tx, now)
            audit.note(tx, actor=actor, action=action, subject=subject, detail=detail, now=now)
            return outcome

        await self._writer.run(self._decide, decide)

    async def _note(self, actor: str, action: str, subject: str, detail: str) -> None:
        now = self._clock.now()
        await self._writer.call(
            lambda tx: audit.note(tx, actor=actor, action=action, subject=subject, detail=detail, now=now)
        )
