"""Probe: asks the venue about one order in doubt, and does what its class allows with the answer."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import CommandKind, CommandState, Doubt
from nightdesk.model.errors import VenueError
from nightdesk.model.execution import Fact, FactKind, facts_of
from nightdesk.model.identifiers import AccountId, ClOrdId
from nightdesk.model.order import Order
from nightdesk.model.venue import Venue
from nightdesk.orders import store
from nightdesk.orders.confirm import Confirm, Evidence
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.orders.outgoing.store import StoredCommand, StoredSend
from nightdesk.orders.queued import Queued
from nightdesk.orders.resend import Step, next_step
from nightdesk.orders.send import Sender
from nightdesk.orders.stamps import Stamps
from nightdesk.orders.store import StoredOrder
from nightdesk.runtime.clock import Clock
from nightdesk.runtime.database import Tx
from nightdesk.runtime.reader import Reader
from nightdesk.runtime.writer import Writer

log = logging.getLogger(__name__)

READ_SECONDS = 10.0
NOT_FOUNDS_KEPT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubtful:
    """An order in doubt with everything the next step depends on."""

    stored: StoredOrder
    commands: tuple[StoredCommand, ...]
    sends: tuple[StoredSend, ...]
    facts: tuple[Fact, ...]

    def command(self, kind: CommandKind) -> StoredCommand | None:
        """The newest command of the kind that is in doubt."""
        found = [c for c in self.commands if c.kind is kind and c.state is CommandState.UNKNOWN]
        return found[-1] if found else None


def load_doubtful(tx: Tx, cl_ord_id: ClOrdId) -> Doubtful | None:
    """The order with its commands, sends and facts; None where there is none."""
    stored = store.load_order(tx, cl_ord_id)
    if stored is None:
        return None
    return Doubtful(
        stored=stored,
        commands=tuple(outgoing.commands_of_order(tx, cl_ord_id)),
        sends=tuple(outgoing.sends_of_order(tx, cl_ord_id)),
        facts=tuple(store.facts_of_order(tx, cl_ord_id)),
    )


class Prober:
    """Settles orders in doubt by asking; remembers only since when each has been watched."""

    def __init__(
        self,
        *,
        venues: Mapping[AccountId, Venue],
        writer: Writer,
        reader: Reader,
        confirm: Confirm,
        sender: Sender,
        clock: Clock,
        stamps: Stamps,
    ) -> None:
        self._venues = venues
        self._writer = writer
        self._reader = reader
        self._confirm = confirm
        self._sender = sender
        self._clock = clock
        self._stamps = stamps
        self._watched_since: dict[ClOrdId, float] = {}
        self._not_found: dict[ClOrdId, int] = {}

    def watch(self, order: Order) -> None:
        """From now on the order counts as watched; a later call for the same order starts anew."""
        self._watched_since[order.cl_ord_id] = self._clock.monotonic()

    def watched_seconds(self, cl_ord_id: ClOrdId) -> float:
        """For how long this process has known the order to be in doubt, by the monotonic clock."""
        now = self._clock.monotonic()
        return now - self._watched_since.setdefault(cl_ord_id, now)

    async def probe(self, order: Order) -> StoredOrder | None:
        """The order as it stands after its venue was asked once; unchanged where the venue could not be asked."""
        venue = self._venues[order.account_id]
        stamp, at = self._stamps.next(), self._clock.now()
        try:
            async with self._clock.timeout(READ_SECONDS):
                report = await venue.order_status(order)
        except (VenueError, TimeoutError) as error:
            log.warning("probe.failed", extra={"cl_ord_id": order.cl_ord_id, "reason": f"{type(error).__name__}"})
            return None
        if report is not None:
            facts = facts_of(report, stamp=stamp, at=self._clock.now(), origin="probe")
            stored = await self._write(order, facts)
            if stored is not None and stored.state.doubt is Doubt.NONE:
                self._watched_since.pop(order.cl_ord_id, None)
                self._not_found.pop(order.cl_ord_id, None)
            await self._resend_cancel(order, stored)
            return stored
        # The newest few say all that older ones did, and an order may be asked about every two seconds for days.
        number = self._not_found[order.cl_ord_id] = self._not_found.get(order.cl_ord_id, 0) + 1
        key = f"notfound:{number % NOT_FOUNDS_KEPT}"
        not_found = Fact(key=key, kind=FactKind.NOT_FOUND, stamp=stamp, at=at, origin="probe")
        stored = await self._write(order, (not_found,))
        if stored is None or stored.state.doubt is not Doubt.UNKNOWN:
            return stored
        return await self._step(order, venue)

    async def _step(self, order: Order, venue: Venue) -> StoredOrder | None:
        doubtful = await self._reader.read(lambda tx: load_doubtful(tx, order.cl_ord_id))
        if doubtful is None:
            return None
        step = next_step(
            order,
            venue.capabilities,
            doubtful.sends,
            doubtful.facts,
            now=self._clock.now(),
            watched=timedelta(seconds=self.watched_seconds(order.cl_ord_id)),
        )
        command = doubtful.command(CommandKind.NEW)
        if step is Step.RESEND and command is not None:
            await self._requeue(order, command, in_doubt=True)
        elif step is Step.ABSENT:
            text = "the venue knew nothing of it after its validity had ended"
            proof = Fact(
                key="absent",
                kind=FactKind.DENIED,
                stamp=self._stamps.next(),
                at=self._clock.now(),
                origin="probe",
                code=DenyCode.PROVEN_ABSENT,
                text=text,
            )
            return await self._write(order, (proof,))
        return doubtful.stored

    async def _resend_cancel(self, order: Order, stored: StoredOrder | None) -> None:
        """A cancel without an answer is sent again while the order lives: a second cancel can do no harm."""
        if stored is None or stored.state.ord_status.terminal:
            return
        doubtful = await self._reader.read(lambda tx: load_doubtful(tx, order.cl_ord_id))
        command = doubtful.command(CommandKind.CANCEL) if doubtful is not None else None
        if command is not None:
            await self._requeue(order, command, in_doubt=False)

    async def _requeue(self, order: Order, command: StoredCommand, *, in_doubt: bool) -> None:
        evidence = Evidence(
            account_id=order.account_id,
            cl_ord_id=order.cl_ord_id,
            command=command,
            command_state=CommandState.QUEUED,
        )
        await self._writer.run(self._confirm, evidence)
        again = replace(command, state=CommandState.QUEUED)
        self._sender.offer((Queued(order=order, command=again, in_doubt=in_doubt),))

    async def _write(self, order: Order, facts: tuple[Fact, ...]) -> StoredOrder | None:
        evidence = Evidence(account_id=order.account_id, cl_ord_id=order.cl_ord_id, facts=facts)
        return await self._writer.run(self._confirm, evidence)
