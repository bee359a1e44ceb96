"""`nightdesk run`: one process, three threads: heart, writer and, here in the main thread, the web."""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

from nightdesk import __version__
from nightdesk.app.desk import OpenDesk
from nightdesk.app.order_path import OrderPath, loop_factory, open_order_path
from nightdesk.app.terminal import desk_logs, hush_server
from nightdesk.model.errors import NightdeskError
from nightdesk.runtime.redact import Redactor
from nightdesk.runtime.secrets import Tokens, load_or_create_tokens, prepare_data_dir, write_private
from nightdesk.runtime.writer import Fenced
from nightdesk.settings import Settings, load, secret_values
from nightdesk.web.config import WebConfig
from nightdesk.web.server import build_app, serve

log = logging.getLogger(__name__)

ADDRESS = "address"
"""The file in the data directory that says where the desk answers, for the command line."""


Beside = Callable[[int, Tokens, OpenDesk], Coroutine[object, object, None]]
Announce = Callable[[OrderPath, Tokens, int], None]


class CannotListen(NightdeskError):
    """The desk cannot listen where, or as, it is told to."""


class HeartStopped(NightdeskError):
    """The heart ended although nobody told the desk to stop."""


def settings_of(*, data: Path, port: int | None, config: Path | None, market: str | None) -> Settings:
    """The settings with what the command line says on top.

    Raises SettingsError.
    """
    given = {"runtime.data": str(data), "web.port": port, "market.source": market}
    return load(file=config, overrides={key: str(value) for key, value in given.items() if value is not None})


def announce(core: OrderPath, tokens: Tokens, port: int) -> None:
    """Where the desk is, and once, at the first start, its tokens."""
    address = f"http://{_in_url(core.settings.web.host)}:{port}"
    venues = ", ".join(f"{name} ({venue.kind})" for name, venue in core.settings.venues.items() if venue.enabled)
    lines = [
        f"Nightdesk is ready: {address}",
        f"  market   {core.feed.describe()}",
        f"  venues   {venues}",
        f"  data     {core.data.resolve()}",
    ]
    if core.halt.state.halted:
        lines.append(f"  HALTED   {core.halt.state.reason}; `nightdesk resume` begins the way back")
    if tokens.created:
        lines += [
            "",
            "These tokens were made just now and are shown this once (kept in tokens.json, mode 0600):",
            f"  operator {tokens.operator.reveal()}   signs you in on the page and the API",
            f"  webhook  {tokens.webhook.reveal()}   goes into the alert's URL:",
            f"           {core.settings.web.public_url or address}/api/webhook/{tokens.webhook.reveal()}",
        ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def run_desk(*, data: Path, port: int | None, config: Path | None, market: str | None) -> None:
    """The desk runs until SIGTERM or SIGINT."""
    settings = settings_of(data=data, port=port, config=config, market=market)
    run_with(settings, env=os.environ, quiet=sys.stderr.isatty())
    sys.stdout.write("Nightdesk has stopped. What it took is on disk, and the next start goes on from there.\n")


def run_with(
    settings: Settings,
    *,
    env: Mapping[str, str],
    beside: Beside | None = None,
    announce: Announce = announce,
    quiet: bool = False,
) -> None:
    """A desk with these settings runs until SIGTERM or SIGINT; `beside` runs next to its web server.

    Call it in the main thread: signals arrive there. Quiet: of the log only warnings are on the terminal. Raises what
    `open_order_path` raises, CannotListen, Fenced, and HeartStopped where the desk ended without being told to.
    """
    data = settings.runtime.data
    _check_tls(settings.web)
    prepare_data_dir(data)
    tokens = load_or_create_tokens(data, env)
    redactor = Redactor()
    redactor.register(tokens.webhook)
    redactor.register(tokens.operator)
    for value in secret_values(settings):
        redactor.register(value)
    with (
        signals(signal.default_int_handler),
        desk_logs(settings.runtime, redactor=redactor, directory=data / "logs", quiet=quiet),
        _reason_in_log(),
    ):
        hush_server()
        core = open_order_path(settings)
        redactor.register(core.install.key)
        try:
            core.start()
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(_until_told(core, lambda: _serve(core, tokens, beside, announce)))
            _whether_told(core)
        finally:
            # Stopping takes seconds at most; a second signal would only make the next start do what is left.
            with signals(signal.SIG_IGN):
                core.stop()
                log.info("desk.stopped")


@contextlib.contextmanager
def _reason_in_log() -> Iterator[None]:
    """An error nobody foresaw is in the log with its traceback; the terminal gets a sentence."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("nightdesk."):
            log.exception("stopped by an error")
        raise


async def _until_told(core: OrderPath, work: Callable[[], Coroutine[object, object, None]]) -> None:
    """The work runs until SIGTERM, SIGINT or the end of the heart; then it was cancelled and has ended."""
    loop = asyncio.get_running_loop()
    working = loop.create_task(work())

    def heart_ended(_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(working.cancel)

    core.ended.add_done_callback(heart_ended)
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, working.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await working


def _whether_told(core: OrderPath) -> None:
    """Raises what ended the heart, where the heart ended first."""
    if not core.ended.done():
        return
    core.ended.result()
    if not core.writer.holds_lease():
        raise Fenced("another process has taken over this desk's database; this one has stopped")
    raise HeartStopped("the part that sends orders has stopped; start the desk again, it finds out what is open")


async def _serve(core: OrderPath, tokens: Tokens, beside: Beside | None, announce: Announce) -> None:
    opened = OpenDesk(core, tokens)
    await opened.list_venues()
    app = build_app(opened.desk)
    web, address = core.settings.web, core.data / ADDRESS
    async with _background() as start:
        start(opened.keep_listing())

        def ready(port: int) -> None:
            write_private(address, f"http://{_in_url(web.host)}:{port}\n")
            announce(core, tokens, port)
            log.info("desk.started", extra={"port": port, "version": __version__, "settings": core.settings.version})
            if beside is not None:
                start(beside(port, tokens, opened))

        try:
            await serve(app, web, ready)
        except OSError as error:
            raise _why_not(web, error) from error
        finally:
            address.unlink(missing_ok=True)


_NO_ADDRESS = {
    errno.EADDRINUSE: "another program listens there. Stop it, or take another port with --port; 0 takes a free one.",
    errno.EACCES: "this user may not take ports below 1024. Take another one with --port, behind a proxy or tunnel.",
    errno.EADDRNOTAVAIL: "this machine has no such address. Set web.host to one it has, such as 127.0.0.1.",
}


def _why_not(web: WebConfig, error: OSError) -> Exception:
    """What keeps the desk from listening, in words; any other error as it is."""
    if isinstance(error, socket.gaierror):
        why: str | None = "no address has this name. Set web.host to one of this machine, such as 127.0.0.1."
    else:
        why = _NO_ADDRESS.get(error.errno or 0)
    return CannotListen(f"The desk cannot listen on {web.host}:{web.port}: {why}") if why is not None else error


def _check_tls(web: WebConfig) -> None:
    if not web.tls_certificate:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(web.tls_certificate, web.tls_key)
    except OSError as error:  # ssl.SSLError is one
        files = f"web.tls_certificate = {web.tls_certificate} and web.tls_key = {web.tls_key}"
        why = f"are no certificate and its key ({error.reason})" if isinstance(error, ssl.SSLError) else error.strerror
        raise CannotListen(f"{files}: {why}. Both must be PEM files the desk can read.") from error


@contextlib.asynccontextmanager
async def _background() -> AsyncIterator[Callable[[Coroutine[object, object, None]], None]]:
    """Tasks beside the server, all ended with it."""
    tasks: set[asyncio.Task[None]] = set()

    def start(work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    try:
        yield start
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def signals(do: Any) -> Iterator[None]:
    """SIGINT and SIGTERM do that inside; afterwards what they did before."""
    before = {each: signal.signal(each, do) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
