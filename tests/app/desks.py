"""A whole desk as its users run it: `python -m nightdesk run` in a process of its own, on a free port of loopback."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
WEBHOOK = "webhook-token-of-the-tests-0001"
OPERATOR = "operator-token-of-the-tests-0002"
PATIENCE = 20.0

RATES = """
[web]
rate_per_minute = 1000000
rate_burst = 100000
body_timeout = 2
"""
"""A test sends more in a second than a sender should; what the limits do is tests/web's to show."""


@dataclass(frozen=True)
class Answer:
    """What came back: `fields` is the JSON body, empty where there was none."""

    status: int
    fields: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        return str(self.fields.get("code"))

    @property
    def signal_id(self) -> str:
        return str(self.fields.get("signal_id"))


def environment(**more: str) -> dict[str, str]:
    """The caller's environment without settings of its own, with the tokens of the tests; what is empty is left out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTDESK_")}
    kept |= {"NIGHTDESK_WEBHOOK_TOKEN": WEBHOOK, "NIGHTDESK_OPERATOR_TOKEN": OPERATOR, "NO_COLOR": "1"} | more
    return {name: value for name, value in kept.items() if value}


@dataclass
class Desk:
    """One data directory and, while it runs, the process over it."""

    folder: Path
    config: str = RATES
    command: tuple[str, ...] = ("run",)
    env: dict[str, str] = field(default_factory=dict)
    place: Path | None = None
    """Where the data is, if not below the folder."""
    process: subprocess.Popen[str] | None = None
    port: int = 0

    @property
    def data(self) -> Path:
        return self.place or self.folder / "data"

    @property
    def arguments(self) -> list[str]:
        file = self.folder / "desk.toml"
        file.write_text(self.config)
        return ["--data", str(self.data), "--port", "0", "--config", str(file)]

    def launch(self) -> subprocess.Popen[str]:
        """The process has been started, and may not be ready yet."""
        (self.data / "address").unlink(missing_ok=True)
        with (self.folder / "stdout").open("a") as out, (self.folder / "stderr").open("a") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nightdesk", *self.command, *self.arguments],
                env=environment(**self.env),
                cwd=self.folder,
                stdout=out,
                stderr=err,
                text=True,
            )
        return self.process

    def start(self) -> "Desk":
        """The desk is ready."""
        process = self.launch()
        address = self.data / "address"
        wait_for(lambda: process.poll() is not None or address.exists(), "the desk to be ready")
        assert process.poll() is None, self.words()
        self.port = urlsplit(address.read_text().strip()).port or 0
        return self

    def refused(self) -> tuple[int, str]:
        """The exit code and what is said, of a start that is expected to fail."""
        done = subprocess.run(
            [sys.executable, "-m", "nightdesk", *self.command, *self.arguments],
            env=environment(**self.env),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stderr

    def command_line(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the command line over this desk's data has ended."""
        return subprocess.run(
            [sys.executable, "-m", "nightdesk", *words, "--data", str(self.data)],
            env=environment(**self.env),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=30,
        )

    def words(self) -> str:
        """What the process said, for the message of a failed test."""
        return (self.folder / "stdout").read_text() + (self.folder / "stderr").read_text()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def kill(self) -> None:
        """SIGKILL: nothing of the process runs after this."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def end(self) -> None:
        """No process is left."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer to one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        kind = response.getheader("content-type") or ""
        fields = json.loads(text) if text and kind.startswith("application/json") else {}
        return Answer(response.status, fields, {name.lower(): value for name, value in response.getheaders()})

    def alert(
        self, body: object, *, hook: str = "", wait: str = "", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer to an alert with the token in its path; anything but bytes and text is sent as JSON.

        `wait` is how many seconds to wait for its results.
        """
        raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        asked = {"hook": hook, "wait": "true" if wait else "", "timeout": wait}
        query = "&".join(f"{name}={value}" for name, value in asked.items() if value)
        return self.ask("POST", f"/api/webhook/{WEBHOOK}{'?' if query else ''}{query}", raw, headers)

    def api(self, method: str, path: str, body: object = None) -> Answer:
        """The answer of the operator's API."""
        headers = {"Authorization": f"Bearer {OPERATOR}", "Content-Type": "application/json"}
        return self.ask(method, path, None if body is None else json.dumps(body).encode(), headers)

    def get(self, path: str) -> dict[str, Any]:
        """The fields at a path of the operator's API."""
        answer = self.api("GET", path)
        assert answer.status == 200, answer
        return answer.fields

    def signal(self, signal_id: str) -> dict[str, Any]:
        """The signal as the ledger has it, with its orders."""
        return self.get(f"/api/signals/{signal_id}")

    def ended(self, signal_id: str) -> list[dict[str, Any]]:
        """The signal's orders once all have ended."""
        over = {"FILLED", "CANCELED", "EXPIRED", "REJECTED", "DENIED"}
        wait_for(
            lambda: all(each["ord_status"] in over for each in self.signal(signal_id)["orders"]),
            lambda: f"the orders of {signal_id} to end: {self.signal(signal_id)['orders']}",
        )
        found: list[dict[str, Any]] = self.signal(signal_id)["orders"]
        return found

    def held(self, sleeve: str) -> dict[tuple[str, str], str]:
        """What a sleeve holds, by venue and symbol; what is flat is left out."""
        lines = self.get("/api/positions")["positions"]
        mine = (each for each in lines if each["sleeve"] == sleeve and float(each["qty"]))
        return {(each["venue"], each["symbol"]): each["qty"] for each in mine}


def wait_for(true: Callable[[], object], what: str | Callable[[], str], seconds: float = PATIENCE) -> None:
    """The condition holds; fails the test where it does not in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:g} s for {what if isinstance(what, str) else what()}")
        time.sleep(0.03)


@contextlib.contextmanager
def desk(folder: Path, config: str = "", **more: Any) -> Iterator[Desk]:
    """A running desk; no process is left behind."""
    folder.mkdir(parents=True, exist_ok=True)
    one = Desk(folder, config=RATES + config, **more)
    try:
        yield one.start()
    finally:
        one.end()
