"""The oracle finds what is planted: an oracle that cannot fail proves nothing."""

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nightdesk.runtime.database import Database
from tests.path.conftest import Open
from tests.path.oracle import Answered, Verdict, judge, read_answers
from tests.path.scene import buy, rest

pytestmark = [pytest.mark.crash]

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """What the one real run of this file left behind."""
    return {}


@pytest.fixture
def real(open_scene: Open, kept: dict[str, Any], tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A copy of the database of a desk that filled two orders, had one refused and rests one; all of it clean."""
    if not kept:
        scene = open_scene("A")
        scene.fault("reject", client_id="", symbol="SOL-USD", text="no")
        asked = [buy("k1"), buy("k2", symbol="ETH-USD", size="0.1"), buy("k3", symbol="SOL-USD", size="1"), rest("k4")]
        pid = scene.start(*asked)
        scene.until(lambda: scene.states() == ["FILLED NONE", "FILLED NONE", "REJECTED NONE", "NEW NONE"])
        scene.clean()
        scene.stop(pid)
        folder = tmp_path_factory.mktemp("real")
        shutil.copy(scene.folder / "desk" / "nightdesk.db", folder / "real.db")
        kept["database"] = folder / "real.db"
        kept["lines"] = scene.exchange.lines(scene.accounts)
        kept["answers"] = read_answers(scene.log)
    copy = tmp_path / "copy.db"
    shutil.copy(kept["database"], copy)
    return copy


def ask(path: Path, lines: Lines, answers: list[Answered]) -> Verdict:
    return judge(Database(path), lines, answers)


def first(lines: Lines, kind: str) -> int:
    return next(n for n, line in enumerate(lines) if line["kind"] == kind)


def test_a_clean_run_is_clean(real: Path, kept: dict[str, Any]) -> None:
    verdict = ask(real, kept["lines"], kept["answers"])
    assert verdict.findings() == []
    assert (verdict.intents, verdict.orders, verdict.in_doubt) == (4, 3, [])


ROWS = {
    "a signal that was answered is gone": ("DELETE FROM signals", "lost"),
    "a signal says something else than its answer": ("UPDATE signals SET outcome = 'REFUSED'", "lost"),
    "an order that was named is gone": ("DELETE FROM orders WHERE ord_status = 'REJECTED'", "lost"),
    "an order of the exchange is not ours": ("DELETE FROM orders WHERE ord_status = 'NEW'", "unknown"),
    "an order is on its way for ever": ("UPDATE orders SET ord_status = 'PENDING_NEW'", "lost"),
    "a filled order is booked as rejected": (
        "UPDATE orders SET ord_status = 'REJECTED' WHERE ord_status = 'FILLED'",
        "lost",
    ),
    "a resting order is booked as canceled": (
        "UPDATE orders SET ord_status = 'CANCELED' WHERE ord_status = 'NEW'",
        "lost",
    ),
    "a rejected order is booked as filled": (
        "UPDATE orders SET ord_status = 'FILLED' WHERE ord_status = 'REJECTED'",
        "lost",
    ),
    "a command waits for ever": ("UPDATE commands SET state = 'SENDING'", "wrong"),
    "the same signal was taken twice": (
        "UPDATE signals SET digest = (SELECT MIN(digest) FROM signals)",
        "duplicated",
    ),
    "a fill is missing": ("DELETE FROM facts WHERE kind = 'FILL'", "wrong"),
    "a fill has another price": ("UPDATE facts SET last_px = '1' WHERE kind = 'FILL'", "wrong"),
    "a fill has another fee": ("UPDATE facts SET fee = '9' WHERE kind = 'FILL'", "wrong"),
    "a position is off": ("UPDATE positions SET qty = '0.02' WHERE symbol = 'BTC-USD'", "wrong"),
    "cash is off": ("UPDATE accounts SET cash = '1'", "wrong"),
    "a reservation was kept": ("UPDATE positions SET sell_qty = '1'", "wrong"),
    "a reservation was let go": ("UPDATE orders SET reserved_qty = '0' WHERE ord_status = 'NEW'", "wrong"),
    "an open order is not listed as open": ("UPDATE orders SET is_open = 0", "wrong"),
    "an event is gone": ("DELETE FROM events WHERE seq = 2", "wrong"),
    "the counter of events is off": ("UPDATE accounts SET event_seq = event_seq + 1", "wrong"),
    "an order has a made-up id": (
        "UPDATE orders SET leg = 7 WHERE ord_status = 'NEW'",
        "wrong",
    ),
    "a row says more than its facts": ("UPDATE orders SET text = 'all is well'", "wrong"),
    "a request was not put on record": ("DELETE FROM sends", "wrong"),
    "a check is not on record": ("UPDATE orders SET checks = '[]'", "wrong"),
    "the audit was edited": ("UPDATE audit SET actor = 'nobody'", "wrong"),
}


@pytest.mark.parametrize("name", ROWS)
def test_an_edited_database_is_found_out(real: Path, kept: dict[str, Any], name: str) -> None:
    sql, group = ROWS[name]
    connection = sqlite3.connect(real)
    assert connection.execute(sql).rowcount > 0
    connection.commit()
    connection.close()
    verdict = ask(real, kept["lines"], kept["answers"])
    assert getattr(verdict, group), verdict.findings()


def twice(lines: Lines) -> Lines:
    accept = lines[first(lines, "accept")]
    return [*lines, {**accept, "order_id": "another"}]


def foreign(lines: Lines) -> Lines:
    accept = lines[first(lines, "accept")]
    return [*lines, {**accept, "order_id": "another", "client_id": "f" * 32}]


def another_fill(lines: Lines) -> Lines:
    return [*lines, {**lines[first(lines, "fill")], "exec_id": "another"}]


def same_fill(lines: Lines) -> Lines:
    return [*lines, lines[first(lines, "fill")]]


def canceled(lines: Lines) -> Lines:
    resting = [line for line in lines if line["kind"] == "accept"][-1]
    return [*lines, {"kind": "cancel", "account": resting["account"], "order_id": resting["order_id"]}]


def unrecorded(lines: Lines) -> Lines:
    return [*lines, lines[first(lines, "request")]]


def by_hand(lines: Lines) -> Lines:
    account = lines[first(lines, "accept")]["account"]
    return [*lines, {"kind": "adjust", "account": account, "symbol": "SPY", "qty": "1", "px": "590"}]


@pytest.mark.parametrize(
    ("tamper", "group"),
    [
        (twice, "duplicated"),
        (foreign, "unknown"),
        (another_fill, "wrong"),
        (same_fill, "wrong"),
        (canceled, "lost"),
        (unrecorded, "wrong"),
        (by_hand, "wrong"),
        (lambda lines: [line for line in lines if line["kind"] != "reject"], "wrong"),
        (lambda lines: [line for line in lines if line["kind"] != "accept" and line["kind"] != "fill"], "lost"),
    ],
)
def test_an_edited_ledger_is_found_out(
    real: Path, kept: dict[str, Any], tamper: Callable[[Lines], Lines], group: str
) -> None:
    verdict = ask(real, tamper(kept["lines"]), kept["answers"])
    assert getattr(verdict, group), verdict.findings()


@pytest.mark.parametrize("change", [{"signal_id": "unheard-of"}, {"outcome": "REFUSED"}, {"cl_ord_ids": ("0" * 32,)}])
def test_an_answer_the_desk_knows_nothing_of_is_lost(real: Path, kept: dict[str, Any], change: dict[str, Any]) -> None:
    told = [replace(kept["answers"][0], **change), *kept["answers"][1:]]
    assert ask(real, kept["lines"], told).lost


def test_a_torn_last_line_of_the_answers_is_no_answer(tmp_path: Path) -> None:
    log = tmp_path / "answers.jsonl"
    log.write_text('{"answered": "a", "outcome": "ACCEPTED", "signal_id": "s", "orders": []}\n{"answered": "b", "outc')
    assert [each.key for each in read_answers(log)] == ["a"]
