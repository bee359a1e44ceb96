"""The processes of these tests: an exchange that outlives everybody, and desks that do not live long.

A parent that has no threads and has called `preload` forks one in milliseconds.
"""

import asyncio
import contextlib
import ctypes
import importlib
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from nightdesk.app.order_path import OrderPath, open_order_path
from nightdesk.market.board import PriceBoard
from nightdesk.market.feed import open_feed
from nightdesk.model.errors import VenueError
from nightdesk.model.identifiers import AccountId, VenueId
from nightdesk.orders.intent import Acceptance
from nightdesk.runtime import crashpoints
from nightdesk.runtime.clock import SystemClock
from nightdesk.runtime.database import StoreUnavailable
from nightdesk.runtime.writer import Overloaded
from nightdesk.settings import Settings, load
from nightdesk.sources.destinations import Listing
from nightdesk.sources.tradingview.intake import TradingViewSource
from nightdesk.venues.paper.config import PaperConfig
from nightdesk.venues.paper.remote import PaperRemote
from nightdesk.venues.paper.server import serve
from tests.path.alerts import Asked, make_alert

HOOK = "tradingview"
_SET_PARENT_DEATH_SIGNAL = 1
DEADLY = 120
"""Seconds after which any process of these tests ends by itself, so that none outlives a parent that was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangePlan:
    """An exchange to run; its URL will stand in `folder`/url."""

    folder: str
    paper: Mapping[str, str] = field(default_factory=dict)
    loss: float = 0.0
    seed: int = 0
    port: int = 0
    """0 takes a free one."""
    lives: int = DEADLY


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPlan:
    """A desk to run, and what it is asked."""

    settings: Mapping[str, str]
    log: str
    """Where what was asked and answered goes, as JSON lines; an answer only once it was given."""
    crash_at: str = ""
    asked: tuple[Asked, ...] = ()
    """Asked first, one after the other, once the desk has started; then the random ones."""
    seed: int | None = None
    """None: nothing is asked beyond `asked`."""
    prefix: str = ""
    senders: int = 3
    pause: float = 0.03
    lives: int = DEADLY


def settings_of(plan: DeskPlan) -> Settings:
    """The desk's settings; nothing of this machine's environment gets in."""
    return load(env={}, overrides=plan.settings)


def run_exchange(plan: ExchangePlan) -> None:
    """Runs until SIGTERM."""
    folder, clock, board = Path(plan.folder), SystemClock(), PriceBoard()
    market = {"market.regime": "RANGING", "market.interval": "0.05", "market.seed": str(plan.seed)}
    settings = load(env={}, overrides=market)
    feed = open_feed("simulated", settings.market)
    paper = load(env={}, overrides={f"venues.paper.{key}": value for key, value in plan.paper.items()}).venues["paper"]

    def ready(url: str) -> None:
        (folder / "url.new").write_text(url)
        (folder / "url.new").rename(folder / "url")

    serve(
        data=folder,
        port=plan.port,
        prices=board,
        clock=clock,
        instruments=feed.instruments(VenueId("paper")),
        config=replace(paper.paper or PaperConfig(), url=""),
        loss=plan.loss,
        seed=plan.seed,
        feed=lambda: feed.run(board, clock),
        ready=ready,
    )


def run_desk(plan: DeskPlan) -> None:
    """Runs until it is killed, or until SIGTERM, and then stops as a desk does."""
    began = time.monotonic()
    crashpoints.arm(plan.crash_at)
    log = os.open(plan.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    # Blocked before any thread starts, so that only `sigwait` below takes them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    core = open_order_path(settings_of(plan))
    opened = time.monotonic()
    core.start()
    started = time.monotonic()
    _note(log, {"up": os.getpid(), "open": opened - began, "start": started - opened})
    try:
        asyncio.run(_ask(core, plan, log))
    finally:
        core.stop()
    _note(log, {"down": os.getpid()})


async def _ask(core: OrderPath, plan: DeskPlan, log: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    source = _source(core)
    while not core.board.symbols():  # noqa: ASYNC110  # the heart's thread fills the board, there is no event of it
        await asyncio.sleep(0.002)
    for asked in plan.asked:
        await _send(core, source, asked, log)
    senders = []
    if plan.seed is not None:
        rng = random.Random(plan.seed)
        seeds = [rng.randrange(2**32) for _ in range(plan.senders)]
        senders = [
            asyncio.create_task(_keep_sending(core, source, random.Random(seed), f"{plan.prefix}-{n}", plan, log))
            for n, seed in enumerate(seeds)
        ]
    await stopped.wait()
    for task in senders:
        task.cancel()
    await asyncio.gather(*senders, return_exceptions=True)


def _source(core: OrderPath) -> TradingViewSource:
    listings = [
        Listing(
            account_id=account_id,
            venue=venue.venue,
            capabilities=venue.capabilities,
            instruments=core.feed.instruments(venue.venue),
        )
        for account_id, venue in core.venues.items()
    ]
    return TradingViewSource(
        core.settings.hooks,
        listings,
        accept=core.accept,
        writer=core.writer,
        prices=core.board,
        config_version=core.settings.version,
        on_recorded=core.changes.publish,
    )


async def _keep_sending(
    core: OrderPath, source: TradingViewSource, rng: random.Random, prefix: str, plan: DeskPlan, log: int
) -> None:
    venues, number = tuple(core.settings.venues), 0
    while True:
        number += 1
        await _send(core, source, make_alert(rng, f"{prefix}-{number}", venues), log)
        await asyncio.sleep(rng.expovariate(1 / plan.pause))


async def _send(core: OrderPath, source: TradingViewSource, asked: Asked, log: int) -> None:
    _note(log, {"asked": asked.key, "body": asked.body})
    try:
        taken = await source.take(HOOK, asked.body.encode(), idempotency_key=None, received_at=core.clock.now())
    except (StoreUnavailable, Overloaded) as error:
        _note(log, {"unanswered": asked.key, "error": str(error)})
        return
    _note(log, answer_line(asked.key, taken))


def answer_line(key: str, taken: Acceptance) -> dict[str, object]:
    """The line of one answer, as the oracle reads it."""
    own = [str(each.order.cl_ord_id) for each in taken.tickets if each.order.signal_id == taken.signal_id]
    code = taken.code.name if taken.code is not None else ""
    line: dict[str, object] = {"answered": key, "outcome": taken.outcome.value, "signal_id": taken.signal_id}
    return line | {"orders": own, "code": code}


def _note(log: int, fields: Mapping[str, object]) -> None:
    os.write(log, json.dumps(fields).encode() + b"\n")


def fork(work: Callable[[], None], errors: Path, *, lives: int = DEADLY) -> int:
    """The pid of a child that does the work and ends; what it prints or raises goes to the file."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        _die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.alarm(lives)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        out = os.open(errors, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        work()
        code = 0
    except BaseException:  # noqa: BLE001  # the child must never return into its parent's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_with_parent() -> None:
    """Where the kernel can do it, a child is killed when its parent ends, however that happened."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def fork_exchange(plan: ExchangePlan) -> int:
    """The pid of an exchange."""
    Path(plan.folder).mkdir(parents=True, exist_ok=True)
    return fork(lambda: run_exchange(plan), Path(plan.folder) / "errors.txt", lives=plan.lives)


def fork_desk(plan: DeskPlan) -> int:
    """The pid of a desk."""
    return fork(lambda: run_desk(plan), Path(plan.log).with_suffix(".errors"), lives=plan.lives)


def ended(pid: int, seconds: float) -> int | None:
    """How a child ended (negative: by which signal), None if it still lives after so long."""
    deadline = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.001)


def preload(folder: Path) -> None:
    """Everything a desk imports in the course of a life is imported here, so that its heirs find it done."""
    folder.mkdir(parents=True, exist_ok=True)

    def scout() -> None:
        core = open_order_path(load(env={}, overrides={"runtime.data": str(folder / "desk"), **QUICK}))
        core.start()
        remote = PaperRemote(PaperConfig(url="http://127.0.0.1:9"), AccountId("scout"), clock=core.clock)
        with contextlib.suppress(VenueError):
            asyncio.run(remote.open_orders())
        core.stop()
        psycopg.pq  # noqa: B018  # loads the driver's C part
        (folder / "modules").write_text("\n".join(sorted(sys.modules)))

    if ended(fork(scout, folder / "errors"), 60.0) != 0:
        raise RuntimeError(f"a desk does not even start: {(folder / 'errors').read_text()}")
    for name in (folder / "modules").read_text().split("\n"):
        if "__main__" not in name and "__mp_main__" not in name:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


def url_of(folder: Path, seconds: float = 20.0) -> str:
    """Where the exchange answers, once it does."""
    deadline = time.monotonic() + seconds
    while not (folder / "url").exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the exchange in {folder} does not answer; see errors.txt there")
        time.sleep(0.005)
    return (folder / "url").read_text()


QUICK: Mapping[str, str] = {
    "orders.probe_after": "0.3",
    "orders.probe_interval": "0.2",
    "orders.sweep": "0.2",
    "orders.open_orders_every": "1",
    "orders.positions_every": "1",
    "market.regime": "RANGING",
    "risk.max_order_notional": "1000000000",
    "risk.max_symbol_exposure": "1000000000",
    "risk.max_total_exposure": "1000000000",
    "risk.max_open_order_value": "1000000000",
    "risk.max_leverage": "1000000",
    "risk.max_daily_loss": "1000000000",
    "risk.max_orders_per_minute": "1000000",
}
"""Settings under which doubt settles within seconds and nothing but the path itself says no."""

PAPER: Mapping[str, str] = {
    "cash": "1000000",
    "leverage": "1000",
    "validity_seconds": "1",
    "timeout_seconds": "0.4",
}


def desk_settings(
    data: Path, url: str, accounts: Sequence[str], *, unique: bool = True, **more: str
) -> Mapping[str, str]:
    """The settings of a desk with one paper venue for each account, all at one exchange."""
    settings = dict(QUICK) | {"runtime.data": str(data)}
    for name in accounts:
        keys = dict(PAPER) | {"kind": "paper", "account": name, "url": url, "unique_ids": str(unique).lower()}
        settings |= {f"venues.{name}.{key}": value for key, value in keys.items()}
    return settings | {key.replace("__", "."): value for key, value in more.items()}
