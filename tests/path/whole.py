"""Kills of the whole server, `nightdesk run`, under the load of senders that keep their connections and ask again."""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.path.alerts import Asked, make_alert
from tests.path.victim import ended, fork

WEBHOOK, OPERATOR = "webhook-token-of-the-chaos", "operator-token-of-the-chaos"
SENDERS = 4
STARTS_WITHIN = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One life of the whole server."""

    data: Path
    settings: Mapping[str, str]
    log: Path
    again: Sequence[Asked]
    """Sent before anything new: what earlier lives left unanswered."""
    seed: int
    prefix: str
    seconds: float
    """How long it lives once it answers."""
    while_starting: bool = False


def live_and_die(life: Life) -> float | None:
    """The server was killed; how long it had taken to answer (seconds), None where it was killed before."""
    address = life.data / "address"
    address.unlink(missing_ok=True)
    began = time.monotonic()
    server = fork(lambda: _exec(life), life.log.with_suffix(".server"), lives=120)
    load, took = None, None
    try:
        if life.while_starting:
            ended(server, life.seconds * 4)
        elif _answers(server, address):
            took = time.monotonic() - began
            url = address.read_text().strip()
            load = fork(lambda: asyncio.run(_load(life, url)), life.log.with_suffix(".senders"), lives=60)
            ended(server, life.seconds)
    finally:
        os.kill(server, signal.SIGKILL)
        code = ended(server, 10.0)
        if load is not None and ended(load, 5.0) is None:
            os.kill(load, signal.SIGKILL)
            ended(load, 5.0)
    if code != -signal.SIGKILL:
        raise RuntimeError(f"the server ended by itself with {code}; see {life.log.with_suffix('.server')}")
    return took


def _exec(life: Life) -> None:
    env = {f"NIGHTDESK_{key.upper().replace('.', '__')}": value for key, value in life.settings.items()}
    env |= {"NIGHTDESK_WEBHOOK_TOKEN": WEBHOOK, "NIGHTDESK_OPERATOR_TOKEN": OPERATOR, "PATH": os.environ["PATH"]}
    env |= {"NIGHTDESK_WEB__RATE_PER_MINUTE": "1000000", "NIGHTDESK_WEB__RATE_BURST": "1000000"}
    argv = [sys.executable, "-m", "nightdesk", "run", "--data", str(life.data), "--port", "0"]
    os.execve(sys.executable, argv, env)  # noqa: S606  # our own program; no shell is wanted


def _answers(server: int, address: Path) -> bool:
    deadline = time.monotonic() + STARTS_WITHIN
    while not address.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the server did not answer within {STARTS_WITHIN:.0f} s")
        if ended(server, 0.01) is not None:
            raise RuntimeError("the server ended before it answered")
    return True


async def _load(life: Life, url: str) -> None:
    """Sends until the server is gone."""
    log = os.open(life.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    rng = random.Random(life.seed)
    waiting = iter(life.again)
    limits = httpx2.Limits(max_connections=SENDERS, max_keepalive_connections=SENDERS)
    async with httpx2.AsyncClient(base_url=url, limits=limits, timeout=3.0, trust_env=False, verify=False) as client:
        senders = [
            _send_on(client, waiting, random.Random(rng.randrange(2**32)), f"{life.prefix}-w{n}", life, log)
            for n in range(SENDERS)
        ]
        await asyncio.gather(*senders)


async def _send_on(
    client: httpx2.AsyncClient, waiting: Iterator[Asked], rng: random.Random, prefix: str, life: Life, log: int
) -> None:
    number, venues = 0, tuple(sorted({key.split(".")[1] for key in life.settings if key.startswith("venues.")}))
    while True:
        asked = next(waiting, None)
        if asked is None:
            number += 1
            asked = make_alert(rng, f"{prefix}-{number}", venues)
        os.write(log, json.dumps({"asked": asked.key, "body": asked.body}).encode() + b"\n")
        for _ in range(2):
            # As TradingView does it: the same body again where there was no answer.
            answer = await _post(client, asked)
            if answer is not None:
                os.write(log, json.dumps(answer).encode() + b"\n")
                break
        else:
            return
        await asyncio.sleep(rng.expovariate(1 / 0.02))


async def _post(client: httpx2.AsyncClient, asked: Asked) -> dict[str, object] | None:
    headers = {"X-Webhook-Token": WEBHOOK, "Content-Type": "application/json"}
    try:
        response = await client.post("/api/webhook", content=asked.body.encode(), headers=headers)
        fields = response.json()
    except (httpx2.HTTPError, ValueError):
        return None
    if "signal_id" not in fields:
        return {"unanswered": asked.key, "status": response.status_code}
    signal_id = fields["signal_id"]
    outcome = fields.get("outcome", "ACCEPTED")
    own = [order["cl_ord_id"] for order in fields["orders"] if order["signal_id"] == signal_id]
    return {
        "answered": asked.key,
        "outcome": outcome,
        "signal_id": signal_id,
        "orders": own,
        "code": "" if outcome == "ACCEPTED" else fields["code"],
    }
