"""`nightdesk demo` as a new user meets it: what it says, what flows, and that nothing stays behind."""

import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from nightdesk.demo.alerts import Alert, Expect, alerts
from nightdesk.market.config import MarketConfig
from nightdesk.market.feed import open_feed
from nightdesk.model.identifiers import Symbol, VenueId
from tests.app.desks import WEBHOOK, Desk, desk, environment, wait_for

WHOLE_ROUND = 26
ANSWERS = {
    Expect.TRADED: (202, "ACCEPTED"),
    Expect.DUPLICATE: (200, "DUPLICATE_SIGNAL"),
    Expect.UNKNOWN_SYMBOL: (422, "UNKNOWN_SYMBOL"),
    Expect.PLACEHOLDER_UNFILLED: (422, "PLACEHOLDER_UNFILLED"),
    Expect.TOO_LARGE: (422, "MAX_ORDER_NOTIONAL"),
    Expect.STALE: (200, "STALE_SIGNAL"),
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk with the demo's market that has taken no alert yet."""
    with desk(Path(tmp_path_factory.mktemp("stage"))) as one:
        yield one


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_alert_of_a_round_ends_as_it_says_it_should(stage: Desk, seed: int) -> None:
    quotes = open_feed("simulated", MarketConfig())
    listed = quotes.instruments(VenueId("paper"))

    def price(symbol: Symbol) -> Decimal:
        return _price(stage, symbol)

    now = datetime.now(UTC) - timedelta(minutes=seed * 4)
    body, wrong = b"", []
    for number, alert in enumerate(islice(alerts(seed, listed, price=price), WHOLE_ROUND)):
        # Fired one after the other, as over a minute, because {{timenow}} counts whole seconds.
        body = body if alert.again else alert.body(now + timedelta(seconds=2 * number), WEBHOOK)
        answer = stage.alert(_young(alert, body))
        if answer.status == 202:
            wait_for(lambda done=answer: _sent(stage, done.signal_id), "the orders to be sent")
        # Whether there is something left to leave depends on whether a limit order has filled by now.
        nothing_left = alert.form == "TradersPost exit" and answer.code == "NO_ACTION"
        if (answer.status, answer.code) != ANSWERS[alert.expect] and not nothing_left:
            wrong.append((alert.form, alert.expect, answer.status, answer.code, answer.fields.get("error")))
    assert wrong == []
    wait_for(lambda: not stage.get("/api/orders?status=IN_DOUBT")["orders"], "no order to be in doubt")
    states = {each["ord_status"] for each in stage.get("/api/orders?limit=500")["orders"]}
    assert states <= {"FILLED", "NEW", "PARTIALLY_FILLED", "DENIED", "PENDING_NEW", "EXPIRED", "CANCELED"}


def _sent(one: Desk, signal_id: str) -> bool:
    return "PENDING_NEW" not in {each["ord_status"] for each in one.signal(signal_id)["orders"]}


def _young(alert: Alert, body: bytes) -> bytes:
    """The body with an hour's patience, since it says it fired minutes ago; not so the one that is to come too late."""
    return body if alert.expect is Expect.STALE else re.sub(rb'"(maxLag|max_lag)": "\d+"', rb'"\1": "3600"', body)


def _price(one: Desk, symbol: Symbol) -> Decimal:
    """The market's price, read where the desk shows it: in the check of an order that is denied for its size."""
    asked = {"symbol": symbol, "side": "buy", "size": "999999999", "comment": str(datetime.now(UTC))}
    value = re.search(r"would be ([\d.]+)", one.alert(asked).fields["error"])
    assert value is not None
    return Decimal(value[1]) / Decimal("999999999")


@contextmanager
def demo(folder: Path, *words: str) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    """A demo runs; the lines are those it has said until it was ready."""
    (folder / "tmp").mkdir()
    with (folder / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "nightdesk", "demo", "--port", "0", *words],
            cwd=folder,
            env=environment(TMPDIR=str(folder / "tmp"), NIGHTDESK_WEBHOOK_TOKEN="", NIGHTDESK_OPERATOR_TOKEN=""),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert process.stdout is not None
    try:
        lines = []
        while line := process.stdout.readline():
            lines.append(line.rstrip("\n"))
            if "Ctrl-C stops it" in line:
                break
        yield process, lines
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def look(address: str, path: str, token: str, sent: str | None = None) -> tuple[int, str]:
    """The status and body of a path of the demo's desk; with something to send it is posted."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(address).port, timeout=10)
    try:
        method, headers = ("GET" if sent is None else "POST"), {"Authorization": f"Bearer {token}"}
        connection.request(method, path, sent, headers if token else {})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_the_demo_says_where_to_look_shows_alerts_flow_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path, "--seconds", "12") as (process, lines):
        address = lines[0].removeprefix("The demo desk runs: ")
        token = lines[1].split()[-1]
        assert lines[2].split(maxsplit=1)[1] == "simulated market, seed 7"
        status, page = look(address, "/", token)
        assert (status, "<title>" in page) == (200, True)

        def ledger() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = json.loads(look(address, "/api/signals", token)[1])["signals"]
            return found

        wait_for(lambda: len(ledger()) >= 2, "alerts to flow")
        assert {each["source"] for each in ledger()} == {"tradingview"}
        command = "\n".join(lines)
        sent = re.search(r"curl -X POST (\S+) \\\n +-d '(.+)'", command)
        assert sent, command
        assert json.loads(look(address, urlsplit(sent[1]).path, "", sent[2])[1])["code"] == "ACCEPTED"
        rest = process.stdout.read() if process.stdout is not None else ""
        assert process.wait(20) == 0
    counts = r"(\d+) alerts? sent: (\d+) taken, (\d+) refused with a reason"
    last = re.fullmatch(rf"The demo has ended\. {counts}\. Nothing was kept\.\n", rest)
    assert last, rest
    assert int(last[1]) == int(last[2]) + int(last[3]) >= 2
    assert list((tmp_path / "tmp").iterdir()) == []
    assert {each.name for each in tmp_path.iterdir()} == {"tmp", "stderr"}
    assert (tmp_path / "stderr").read_text() == ""


def test_the_demo_plays_a_recording_and_is_kept_where_it_is_told_to(tmp_path: Path) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [f"{start + timedelta(minutes=n):%Y-%m-%dT%H:%M:%SZ},100,101,99,100.5,10" for n in range(500)]
    recording = tmp_path / "eth_usd_1m_test.csv"
    recording.write_text("ts,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    with demo(tmp_path, "--market", str(recording), "--data", "kept") as (process, lines):
        assert lines[2].split(maxsplit=1)[1].startswith("recorded market, eth_usd_1m_test.csv")
        assert '"symbol": "ETH-USD"' in "\n".join(lines)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read() if process.stdout is not None else ""
        assert process.wait(20) == 0
    assert rest.endswith("nightdesk run --data kept goes on from here.\n")
    assert (tmp_path / "kept" / "nightdesk.db").exists()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_demo_ends_in_a_sentence_where_it_cannot_begin(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nightdesk", "demo", "--market", "nowhere.parquet"],
        cwd=tmp_path,
        env=environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("▲ market.source 'nowhere.parquet' is not a file")
    assert list(tmp_path.iterdir()) == []
