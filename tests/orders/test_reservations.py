"""I6: at every moment the reservations are what the live orders may still fill, whatever has happened to them."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import ExecType, OrdStatus, Side
from nightdesk.model.errors import Refused
from nightdesk.model.execution import Fact, FactKind
from nightdesk.model.identifiers import Sleeve
from nightdesk.model.order import Order, fold
from nightdesk.model.signal import Aim
from nightdesk.orders import person
from nightdesk.runtime.database import Database
from nightdesk.runtime.migrate import ensure_schema
from tests.desk import Desk
from tests.samples import BTC, ETH, MAIN, START, D, a_fill, a_report, a_signal, an_ask, resting

STATUSES = [OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED, OrdStatus.CANCELED, OrdStatus.EXPIRED, OrdStatus.REJECTED]


class History(RuleBasedStateMachine):
    """A desk on SQLite whose orders meet everything a venue, a clock and a person can do to them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name)
        ensure_schema(Database(path / "nightdesk.db"), backups=None, now=START)
        self.desk = Desk(Database(path / "nightdesk.db"), path)
        self.orders: list[Order] = []
        self.number = 0

    def teardown(self) -> None:
        self.desk.close()
        self.folder.cleanup()

    @rule(
        side=st.sampled_from(list(Side)),
        size=st.sampled_from(["0.0001", "0.5", "1", "3"]),
        symbol=st.sampled_from([BTC, ETH]),
        sleeve=st.sampled_from(["a", "b"]),
        hold=st.booleans(),
    )
    def accept(self, side: Side, size: str, symbol: str, sleeve: str, hold: bool) -> None:
        self.number += 1
        signal = a_signal(self.number, sleeve=Sleeve(sleeve))
        acceptance = self.desk.take(self.desk.intent(an_ask(side, size, symbol=symbol), signal=signal, hold=hold))
        self.orders += [ticket.order for ticket in acceptance.tickets]

    @rule(aim=st.sampled_from([Aim.CLOSE, Aim.CANCEL]), sleeve=st.sampled_from(["a", "b"]))
    def close_or_cancel(self, aim: Aim, sleeve: str) -> None:
        self.number += 1
        signal = a_signal(self.number, sleeve=Sleeve(sleeve))
        acceptance = self.desk.take(self.desk.intent(an_ask(None, None, aim=aim), signal=signal))
        known = {order.cl_ord_id for order in self.orders}
        self.orders += [ticket.order for ticket in acceptance.tickets if ticket.order.cl_ord_id not in known]

    @precondition(lambda self: self.orders)
    @rule(
        data=st.data(),
        exec_id=st.sampled_from(["e1", "e2", "e3"]),
        qty=st.sampled_from(["0.1", "0.5", "1"]),
        bust=st.booleans(),
        status=st.sampled_from(STATUSES),
    )
    def trade(self, data: st.DataObject, exec_id: str, qty: str, bust: bool, status: OrdStatus) -> None:
        order = self.pick(data)
        kind = {"exec_type": ExecType.TRADE_CANCEL} if bust else {}
        self.desk.learn(order, a_fill(f"{order.cl_ord_id[:6]}{exec_id}", qty, status=status, **kind))

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), status=st.sampled_from(STATUSES), cum=st.sampled_from([None, D(0), D("0.5"), D(3)]))
    def state(self, data: st.DataObject, status: OrdStatus, cum: object) -> None:
        order = self.pick(data)
        self.desk.learn(order, a_report(status, cum_qty=cum, cl_ord_id=order.cl_ord_id))

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), kind=st.sampled_from([FactKind.OUTCOME_UNKNOWN, FactKind.NOT_FOUND, FactKind.DENIED]))
    def doubt(self, data: st.DataObject, kind: FactKind) -> None:
        stamp = self.desk.stamps.next()
        code = DenyCode.PROVEN_ABSENT if kind is FactKind.DENIED else None
        self.desk.weigh(
            self.pick(data), Fact(key=f"{kind}:{stamp}", kind=kind, stamp=stamp, at=START, origin="desk", code=code)
        )

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), action=st.sampled_from(["cancel", "approve", "decline", "abandon", "accept"]))
    def decide(self, data: st.DataObject, action: str) -> None:
        cl_ord_id = self.pick(data).cl_ord_id
        works = {
            "cancel": lambda tx, now: person.cancel(tx, cl_ord_id, "somebody", now),
            "approve": lambda tx, now: person.approve(tx, cl_ord_id, "somebody", now),
            "decline": lambda tx, now: person.decline(tx, cl_ord_id, "somebody", now),
            "abandon": lambda tx, now: person.settle(tx, cl_ord_id, "abandon", "somebody", now, ""),
            "accept": lambda tx, now: person.settle(tx, cl_ord_id, "accept", "somebody", now, ""),
        }
        try:
            self.desk.person(works[action])
        except Refused as refused:
            assert refused.code is DenyCode.ORDER_ENDED  # noqa: PT017  # the only reason there is

    @rule()
    def halt(self) -> None:
        self.desk.person(lambda tx, now: person.stop_entries(tx, (MAIN,), "somebody", now))

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        order = self.pick(data)
        self.desk.learn(order, resting(order))

    def pick(self, data: st.DataObject) -> Order:
        return data.draw(st.sampled_from(self.orders))

    @invariant()
    def reservations_and_positions_are_what_the_orders_say(self) -> None:
        self.desk.reserved_is_what_may_fill()
        held: dict[tuple[str, str], object] = {}
        for order in self.orders:
            stored = self.desk.order(order.cl_ord_id)
            assert stored.state == fold(order, self.desk.facts(order))
            key = (order.symbol, order.sleeve)
            held[key] = held.get(key, D(0)) + order.side.sign * stored.state.cum_qty  # type: ignore[operator]
        for key, stake in self.desk.book().stakes.items():
            assert stake.position.qty == held.get(key, D(0))

    @invariant()
    def history_has_no_gap(self) -> None:
        seqs = [event.seq for event in self.desk.events()]
        assert seqs == list(range(1, len(seqs) + 1))


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=15, stateful_step_count=25)
