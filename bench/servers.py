"""Processes that are measured: started on a free port, ended by their own id."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WEBHOOK_TOKEN = "bench-webhook-token-0123456789abcdef"
OPERATOR_TOKEN = "bench-operator-token-0123456789abcdef"

WIDE = """
[web]
rate_per_minute = 100000000
rate_burst = 10000000
[risk]
max_order_notional = 1000000000
max_symbol_exposure = 100000000000
max_total_exposure = 100000000000
max_open_order_value = 100000000000
max_leverage = 1000000000
max_daily_loss = 100000000000
max_orders_per_minute = 1000000000
[runtime]
log_level = "warning"
[venues.paper]
cash = 1000000000
leverage = 1000
"""
"""Limits that every check still computes and compares, set so wide that none of them ends a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running process: where it listens, where it keeps its data, and how long it took to answer."""

    port: int
    pid: int
    data: Path
    ready_seconds: float

    def rss_mib(self) -> float:
        """Its resident memory in MiB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return float("nan")

    def cpu_seconds(self) -> float:
        """Processor time it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def bare() -> Iterator[Server]:
    """The endpoint that stores nothing."""
    with process([sys.executable, "-m", "bench.bare"], "") as server:
        yield server


@contextlib.contextmanager
def desk(config: str = WIDE, *, data: Path | None = None) -> Iterator[Server]:
    """A whole desk with these settings."""
    with process([sys.executable, "-m", "nightdesk", "run"], config, data) as server:
        yield server


@contextlib.contextmanager
def process(command: list[str], config: str, data: Path | None = None) -> Iterator[Server]:
    """The command runs with a port, and where there is one a configuration and a data directory of its own."""
    with tempfile.TemporaryDirectory(prefix="nightdesk-bench-") as folder:
        port = _free_port()
        place = data or Path(folder) / "data"
        if config:
            file = Path(folder) / "desk.toml"
            file.write_text(config)
            command = [*command, "--data", str(place), "--port", str(port), "--config", str(file)]
        else:
            command = [*command, str(port)]
        env = os.environ | {"NIGHTDESK_WEBHOOK_TOKEN": WEBHOOK_TOKEN, "NIGHTDESK_OPERATOR_TOKEN": OPERATOR_TOKEN}
        began = time.perf_counter()
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        try:
            _await_port(port, process)
            yield Server(port=port, pid=process.pid, data=place, ready_seconds=time.perf_counter() - began)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.perf_counter() + 30
    while time.perf_counter() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the process ended with {process.returncode} before it answered")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
            return
        time.sleep(0.005)
    raise RuntimeError("the process did not answer within 30 s")
