"""One alert for several venues, one of them gone: each leg ends for itself (K4, K5, K6)."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.app.desks import Desk, desk, environment, wait_for

CONFIG = """
[orders]
probe_after = 1
probe_interval = 0.5
[venues.near]
kind = "paper"
[venues.far]
kind = "paper"
url = "{url}"
timeout_seconds = 1
validity_seconds = 2
[hooks.both]
[hooks.far_alone]
venues = ["far"]
"""


@dataclass
class Exchange:
    """A paper exchange in a process of its own, that can be paused, killed and started again on its port."""

    folder: Path
    port: int = 0
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "nightdesk", "paper", "--data", str(self.folder / "paper")]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        self.port = int(first.rsplit(":", 1)[1])

    def end(self, how: int = signal.SIGKILL) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    one = Exchange(tmp_path)
    one.start()
    yield one
    one.end(signal.SIGKILL)


@pytest.fixture
def two(tmp_path: Path, exchange: Exchange) -> Iterator[Desk]:
    """A desk with a venue inside and one far away."""
    with desk(tmp_path / "desk", CONFIG.format(url=f"http://127.0.0.1:{exchange.port}")) as one:
        yield one


def alert(one: Desk, comment: str, hook: str = "both", wait: str = "10") -> dict[str, dict[str, object]]:
    answer = one.alert({"symbol": "BTC-USD", "side": "buy", "size": "0.001", "comment": comment}, hook=hook, wait=wait)
    assert answer.status == 200, answer
    legs = {str(leg["dex"]): leg for leg in answer.fields["results"]}
    return {"": answer.fields, **legs}


def test_k5_k6_each_leg_ends_for_itself_whatever_becomes_of_the_other(two: Desk, exchange: Exchange) -> None:
    found = alert(two, "both are there")
    assert (found[""]["status"], found["near"]["status"], found["far"]["status"]) == ("success", "filled", "filled")

    # A venue that hangs delays nobody else, and its order is in doubt: nobody knows whether it was taken.
    assert exchange.process is not None
    exchange.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    found = alert(two, "far hangs", wait="2.5")
    assert found["near"]["status"] == "filled"
    assert (found[""]["status"], found["far"]["status"]) == ("partial", "unknown")
    assert found["far"]["code"] == "DEX_TIMEOUT"
    assert time.monotonic() - began < 6
    exchange.process.send_signal(signal.SIGCONT)
    doubtful = str(found["far"]["cl_ord_id"])
    wait_for(lambda: two.get(f"/api/orders/{doubtful}")["doubt"] == "NONE", "the doubt to be settled by asking")
    settled = two.get(f"/api/orders/{doubtful}")["ord_status"]
    assert settled in ("FILLED", "DENIED", "EXPIRED")

    # A venue that nobody serves: provably not sent, so that leg alone has failed.
    exchange.end(signal.SIGKILL)
    found = alert(two, "far is gone", wait="25")
    assert (found[""]["status"], found["near"]["status"]) == ("partial", "filled")
    assert (found["far"]["status"], found["far"]["code"], found["far"]["cum_qty"]) == ("denied", "DEX_ERROR", "0")
    found = alert(two, "far alone is gone", hook="far_alone", wait="25")
    assert (found[""]["status"], found["far"]["code"]) == ("failed", "DEX_ERROR")

    # It comes back with its ledger, and what it holds is what the desk believes.
    exchange.start()
    wait_for(lambda: _trades(two), "the far venue to trade again", seconds=40)
    found = alert(two, "far is back", wait="25")
    assert (found[""]["status"], found["far"]["status"]) == ("success", "filled")
    held = two.held("both")
    filled = 2 + (settled == "FILLED")
    assert (held[("near", "BTC-USD")], held[("far", "BTC-USD")]) == ("0.004", f"0.00{filled}")
    assert two.get("/api/status")["today"]["in_doubt"] == 0


def _trades(one: Desk) -> bool:
    return {each["venue"]: each["state"] for each in one.get("/api/accounts")["accounts"]} == {
        "near": "ACTIVE",
        "far": "ACTIVE",
    } and one.get("/api/health")["status"] == "healthy"


def test_k5_a_desk_starts_without_a_venue_and_takes_it_in_when_it_answers(tmp_path: Path, exchange: Exchange) -> None:
    port = exchange.port
    exchange.end(signal.SIGTERM)
    with desk(tmp_path / "desk", CONFIG.format(url=f"http://127.0.0.1:{port}")) as one:
        found = alert(one, "far is not there yet")
        assert found["near"]["status"] == "filled"
        assert one.get("/api/health")["status"] == "degraded"
        exchange.start()
        wait_for(lambda: _trades(one), "the far venue to be taken in", seconds=40)
        for number in range(20):
            if "far" in (found := alert(one, f"try {number}")):
                break
            time.sleep(0.5)
        assert found["far"]["status"] == "filled"
