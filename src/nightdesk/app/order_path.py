"""The desk without its web: settings in, everything an order passes through out."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from nightdesk.accounts import audit
from nightdesk.app.venues import open_venues
from nightdesk.market.board import PriceBoard
from nightdesk.market.feed import Feed, open_feed
from nightdesk.model.identifiers import AccountId, VenueId
from nightdesk.model.venue import Venue
from nightdesk.orders.accept import Accept
from nightdesk.orders.alerts import point_out
from nightdesk.orders.confirm import Confirm
from nightdesk.orders.heart import Heart
from nightdesk.orders.person import Decide
from nightdesk.portfolio.store import open_account
from nightdesk.risk.halt import HaltSwitch
from nightdesk.risk.store import read_halt
from nightdesk.runtime.changes import Changes
from nightdesk.runtime.clock import Clock, SystemClock
from nightdesk.runtime.database import Database, Tx, to_micros
from nightdesk.runtime.lock import ProcessLock
from nightdesk.runtime.migrate import ensure_schema
from nightdesk.runtime.outbox import Consumer
from nightdesk.runtime.reader import Reader
from nightdesk.runtime.reserve import Reserve
from nightdesk.runtime.secrets import Install, load_or_create_install, prepare_data_dir
from nightdesk.runtime.store import remember
from nightdesk.runtime.writer import Writer
from nightdesk.settings import Settings

WRITER = "desk"


@dataclass(slots=True, kw_only=True)
class OrderPath:
    """The desk without its web: everything an order passes through."""

    settings: Settings
    data: Path
    clock: Clock
    lock: ProcessLock
    database: Database
    install: Install
    writer: Writer
    reader: Reader
    changes: Changes
    board: PriceBoard
    feed: Feed
    halt: HaltSwitch
    venues: Mapping[AccountId, Venue]
    accept: Accept
    decide: Decide
    heart: Heart
    closers: list[Callable[[], None]] = field(default_factory=list)
    ended: "Future[None]" = field(default_factory=Future)
    """Done once the heart has stopped beating; holds the error that stopped it, where one did."""
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """The heart beats and every account was compared with its venue, or could not be."""
        ready = threading.Event()

        def beat() -> None:
            try:
                with asyncio.Runner(loop_factory=loop_factory()) as runner:
                    runner.run(self.heart.run(ready.set))
            except BaseException as error:  # noqa: BLE001 - told to whoever waits for `ended`
                self.ended.set_exception(error)
            else:
                self.ended.set_result(None)
            finally:
                ready.set()

        self._thread = threading.Thread(target=beat, name="heart", daemon=True)
        self._thread.start()
        ready.wait()
        if self.ended.done():
            self.ended.result()

    def stop(self) -> None:
        """Nothing more is sent, everything handed over is written, and the data directory is free."""
        self.heart.stop()
        if self._thread is not None:
            self._thread.join(10.0)
        # The writer closes last, and with it SQLite folds its log into the one file a backup copies.
        self.reader.close()
        self.writer.stop()
        for close in self.closers:
            close()
        self.lock.release()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """How event loops are made: by uvloop where it is installed, else the standard way (None)."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def open_order_path(
    settings: Settings,
    *,
    clock: Clock | None = None,
    feed: Feed | None = None,
    venues: Mapping[AccountId, Venue] | None = None,
    schema: str | None = None,
) -> OrderPath:
    """A desk that holds its data directory and database and is ready to start.

    Keyword arguments replace parts. Raises AlreadyRunning, SecretsError, StoreUnavailable, StoreDamaged, Fenced,
    FeedError: each says what to do.
    """
    clock = clock or SystemClock()
    data = settings.runtime.data
    prepare_data_dir(data)
    lock = ProcessLock(data, clock)
    lock.acquire()
    try:
        return _open(settings, data, clock, lock, feed, venues, schema)
    except BaseException:
        lock.release()
        raise


def _open(
    settings: Settings,
    data: Path,
    clock: Clock,
    lock: ProcessLock,
    feed: Feed | None,
    venues: Mapping[AccountId, Venue] | None,
    schema: str | None,
) -> OrderPath:
    database = Database(settings.runtime.database or data / "nightdesk.db", schema=schema)
    ensure_schema(database, backups=data / "backups", now=clock.now())
    install = load_or_create_install(data)
    feed = feed or open_feed(settings.market.source, settings.market)
    board, changes, halt = PriceBoard(), Changes(), HaltSwitch(data, clock)
    closers: list[Callable[[], None]] = []
    venues = venues if venues is not None else open_venues(settings, data, clock, board, feed, closers)
    writer = _open_writer(database, data, clock, halt)
    reader = Reader(database)
    confirm = Confirm(clock, changes.publish)
    alerts = Consumer("alerts", point_out, writer, clock)
    heart = Heart(
        venues=venues,
        writer=writer,
        reader=reader,
        confirm=confirm,
        halt=halt,
        clock=clock,
        config=settings.orders,
        beside=(_feeding(feed, board, clock), lambda: alerts.run(list(venues), changes)),
    )
    accept = Accept(
        install_id=install.install_id,
        limits=settings.risk,
        orders=settings.orders,
        prices=board,
        halt=halt,
        clock=clock,
        on_queued=heart.offer,
    )
    writer.call_blocking(lambda tx: _first_rows(tx, settings, install, halt, clock))
    return OrderPath(
        settings=settings,
        data=data,
        clock=clock,
        lock=lock,
        database=database,
        install=install,
        writer=writer,
        reader=reader,
        changes=changes,
        board=board,
        feed=feed,
        halt=halt,
        venues=venues,
        accept=accept,
        decide=Decide(heart.offer, changes.publish),
        heart=heart,
        closers=closers,
    )


def _open_writer(database: Database, data: Path, clock: Clock, halt: HaltSwitch) -> Writer:
    reserve = Reserve(data / "reserve")
    reserve.hold()
    writer = Writer(database, clock, name=WRITER, holder=_holder(), on_full=lambda: _make_room(reserve, halt))
    writer.start()
    return writer


def _holder() -> str:
    """Who this process is, so that another can tell whether it lives; a pid means something in its namespace only."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        namespace = ""
    return f"{socket.gethostname()}{namespace}:{os.getpid()}"


def _make_room(reserve: Reserve, halt: HaltSwitch) -> bool:
    """True when the disk was full and the reserve made room: enough for what is under way, not for more."""
    if not reserve.release():
        return False
    halt.halt("the disk is full; free some space, start the desk again, then resume", "desk")
    return True


def _feeding(feed: Feed, board: PriceBoard, clock: Clock) -> Callable[[], Coroutine[object, object, None]]:
    return lambda: feed.run(board, clock)


def _first_rows(tx: Tx, settings: Settings, install: Install, halt: HaltSwitch, clock: Clock) -> None:
    now = clock.now()
    remember(tx, "install_id", install.install_id)
    for name, config in settings.venues.items():
        currency = config.paper.currency if config.paper is not None else "USD"
        worth = config.paper.cash if config.paper is not None else config.equity
        open_account(tx, AccountId(config.account), VenueId(name), currency, worth, to_micros(now))
    row = read_halt(tx)
    if row is not None and row.halted:
        halt.remember(row.reason, row.actor)
    audit.note(tx, actor="desk", action="desk.started", detail=f"settings {settings.version}", now=now)
