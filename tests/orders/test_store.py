"""What the order path writes comes back as it was, to the last digit."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import OrdStatus, OrdType, Side
from nightdesk.model.execution import Fact, FactKind
from nightdesk.model.identifiers import AccountId, ExecId, OrderId, SignalId
from nightdesk.orders import store
from nightdesk.orders.alerts import point_out
from nightdesk.orders.ledger.store import find_claims
from nightdesk.portfolio.store import add_reconciliation, open_account, owner_of
from nightdesk.runtime.store import EventRow
from tests.desk import Desk
from tests.samples import BTC, FAKE, HAND, MAIN, START, D, a_fill, a_report, an_ask, resting, whole

MONEY = st.none() | st.decimals(min_value="-1e12", max_value="1e12", places=10, allow_nan=False)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(MONEY, min_size=6, max_size=6), st.sampled_from([None, *OrdStatus]), st.sampled_from([None, *DenyCode]))
def test_a_fact_comes_back_whole(
    fast: Desk, money: list[Decimal | None], status: OrdStatus | None, code: DenyCode | None
) -> None:
    """Money is Decimal from the wire to the database and back."""
    order = fast.queued[0].order if fast.queued else fast.buy()
    fact = Fact(
        key="k",
        kind=FactKind.STATUS,
        stamp=7,
        at=START + timedelta(microseconds=1),
        origin="probe",
        order_id=OrderId("v"),
        ord_status=status,
        exec_id=ExecId("e"),
        last_qty=money[0],
        last_px=money[1],
        fee=money[2] or D(0),
        fee_currency="USD",
        cum_qty=money[3],
        avg_px=money[4],
        order_qty=money[5],
        price=money[0],
        revision=3,
        code=code,
        text="ünïcödé ' \" \\",
    )

    fast.writer.call_blocking(lambda tx: store.add_facts(tx, order, (fact,), 1))

    assert fast.facts(order) == [fact]


def test_a_fact_with_the_same_key_takes_the_place_of_the_other(desk: Desk) -> None:
    order = desk.buy()
    old = Fact(key="k", kind=FactKind.REPLACED, stamp=1, at=START, origin="a", order_qty=D(1), revision=1)
    new = replace(old, stamp=2, at=START + timedelta(seconds=1), origin="b", order_qty=D(2), text="t")

    for fact in (old, new):
        desk.writer.call_blocking(lambda tx, fact=fact: store.add_facts(tx, order, (fact,), 1))

    assert desk.facts(order) == [new]


@pytest.mark.parametrize("amount", ["0.00000001", "12345678901234567890.123456789", "1E+20", "100.10"])
def test_an_order_comes_back_with_every_digit(desk: Desk, amount: str) -> None:
    qty = D(amount)
    acceptance = desk.take(desk.intent(an_ask(size=amount), max_qty=None))
    order = acceptance.tickets[0].order

    assert desk.order(order.cl_ord_id).order == order
    assert order.order_qty <= qty


def test_the_legs_of_a_signal_come_in_their_order(desk: Desk) -> None:
    acceptance = desk.take(desk.intent(an_ask(), an_ask(size="2"), an_ask(size="3")))

    found = desk.read(lambda tx: store.orders_of_signal(tx, acceptance.signal_id))

    assert [each.order.leg for each in found] == [0, 1, 2]


def test_a_signal_is_settled_once_nothing_of_it_is_on_its_way(desk: Desk) -> None:
    """A request may wait until then for its answer."""

    def is_settled(signal: SignalId) -> bool:
        found: bool = desk.read(lambda tx: store.signal_settled(tx, signal))
        return found

    market = desk.buy()
    limit = desk.buy(ord_type=OrdType.LIMIT, price=D(99))
    held = desk.take(desk.intent(hold=True)).tickets[0].order
    assert [is_settled(each.signal_id) for each in (market, limit, held)] == [False, False, True]

    desk.learn(market, resting(market))
    desk.learn(limit, resting(limit))
    assert [is_settled(each.signal_id) for each in (market, limit)] == [False, True]

    desk.learn(market, a_fill("e1", "0.5"))
    assert not is_settled(market.signal_id)
    desk.learn(market, a_report(OrdStatus.REJECTED))
    assert is_settled(market.signal_id)


def test_orders_are_found_by_the_beginning_of_their_ids(desk: Desk) -> None:
    orders = sorted(desk.buy().cl_ord_id for _ in range(8))

    def found(prefix: str, limit: int = 20) -> list[str]:
        ids: list[str] = desk.read(lambda tx: store.ids_beginning(tx, prefix, limit=limit))
        return ids

    assert found(orders[3]) == [orders[3]]
    assert found(orders[3][:12]) == [orders[3]]
    assert [each for start in "0123456789abcdef" for each in found(start)] == orders
    assert len(found(orders[0][0], 1)) == 1
    for nonsense in ("", "xyz", "%", "' OR 1=1", "ABC"):
        assert found(nonsense) == []


def test_which_facts_are_on_record(desk: Desk) -> None:
    order = desk.buy()
    desk.learn(order, whole(order))
    keys = [(order.cl_ord_id, fact.key) for fact in desk.facts(order)]

    assert desk.read(
        lambda tx: store.known_facts(tx, [*keys, (order.cl_ord_id, "other"), ("other", keys[0][1])])
    ) == set(keys)
    assert desk.read(lambda tx: store.known_facts(tx, [])) == set()


def test_no_keys_are_no_claims(desk: Desk) -> None:
    assert desk.read(lambda tx: find_claims(tx, [])) == {}


def test_an_account_that_exists_keeps_everything_it_had(desk: Desk) -> None:
    order = desk.buy()
    desk.learn(order, whole(order))
    cash = desk.book().cash

    desk.writer.call_blocking(lambda tx: open_account(tx, MAIN, FAKE, "EUR", D(5), 1))

    assert (desk.book().cash, desk.book().currency) == (cash, "USD")
    assert desk.read(lambda tx: owner_of(tx, MAIN)) == "operator"
    assert desk.read(lambda tx: owner_of(tx, AccountId("nowhere"))) is None


def test_a_position_that_was_closed_comes_back_with_its_past(desk: Desk) -> None:
    """Only open stakes are loaded with the account; a closed one is read when it is needed."""
    order = desk.buy("1")
    desk.learn(order, whole(order, "100"))
    sold = desk.buy("1", Side.SELL)
    desk.learn(sold, whole(sold, "110"))
    assert desk.rows("SELECT is_open FROM positions") == [(0,)]

    again = desk.buy("2")
    desk.learn(again, whole(again, "120"))

    position = desk.book().stake(BTC, HAND).position
    assert (position.qty, position.realised_pnl) == (2, 10)


def test_a_comparison_is_on_record_once(desk: Desk) -> None:
    for _ in range(2):
        desk.writer.call_blocking(lambda tx: add_reconciliation(tx, MAIN, "start", 1, 2, "clean", "[]"))

    assert desk.rows("SELECT run_id, result FROM reconciliations") == [("1-start", "clean")]


@pytest.mark.parametrize(
    ("topic", "data", "message"),
    [
        ("order.updated", '{"doubt":"DISPUTED"}', "order.in_doubt"),
        ("order.updated", '{"doubt":"MISSING"}', "order.in_doubt"),
        ("order.updated", '{"doubt":"NONE","late_fill":"0.5"}', "order.filled_late"),
        ("order.updated", '{"doubt":"UNKNOWN"}', None),
        ("order.updated", '{"doubt":"NONE"}', None),
        ("order.accepted", '{"doubt":"DISPUTED"}', None),
    ],
)
def test_what_a_person_has_to_hear_of_is_in_the_log(
    fast: Desk, caplog: pytest.LogCaptureFixture, topic: str, data: str, message: str | None
) -> None:
    """Rows 32, 33, 36: an alert."""
    event = EventRow(account_id=MAIN, seq=1, owner_id="operator", topic=topic, cl_ord_id="c", at=1, data=data)

    fast.read(lambda tx: point_out(tx, event))

    assert [record.getMessage() for record in caplog.records] == ([message] if message else [])
