"""`nightdesk run`: one process, three threads: heart, writer and, here in the main thread, the web."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path

from nightdesk.app.core import Core, loop_factory, open_core
from nightdesk.app.desk import OpenDesk
from nightdesk.runtime.logging import open_logs
from nightdesk.runtime.redact import Redactor
from nightdesk.runtime.secrets import Tokens, load_or_create_tokens, prepare_data_dir, write_private
from nightdesk.settings import Settings, load, secret_values
from nightdesk.web.server import build_app, serve

ADDRESS = "address"
"""The file in the data directory that says where the desk answers, for the command line."""

SWITCH_SECONDS = 0.0005
"""How long one thread may keep the interpreter while another wants it: an order crosses threads six times, and at
Python's own 5 ms a busy thread would cost it 30."""

Beside = Callable[[int, Tokens, OpenDesk], Coroutine[object, object, None]]


def settings_of(*, data: Path, port: int | None, config: Path | None, market: str | None) -> Settings:
    """The settings with what the command line says on top. Raises SettingsError."""
    given = {"runtime.data": str(data), "web.port": port, "market.source": market}
    return load(file=config, overrides={key: str(value) for key, value in given.items() if value is not None})


def run_desk(*, data: Path, port: int | None, config: Path | None, market: str | None) -> None:
    """The desk runs until SIGTERM or SIGINT."""
    settings = settings_of(data=data, port=port, config=config, market=market)
    run_with(settings, env=os.environ)


def run_with(settings: Settings, *, env: Mapping[str, str], beside: Beside | None = None) -> None:
    """A desk with these settings runs until it is told to stop; `beside` runs next to its web server."""
    data = settings.runtime.data
    sys.setswitchinterval(SWITCH_SECONDS)
    prepare_data_dir(data)
    tokens = load_or_create_tokens(data, env)
    redactor = Redactor()
    redactor.register(tokens.webhook)
    redactor.register(tokens.operator)
    for value in secret_values(settings):
        redactor.register(value)
    with open_logs(settings.runtime, redactor=redactor, directory=data / "logs"):
        core = open_core(settings)
        redactor.register(core.install.key)
        try:
            core.start()
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(_serve(core, tokens, beside))
        finally:
            core.stop()


async def _serve(core: Core, tokens: Tokens, beside: Beside | None) -> None:
    opened = OpenDesk(core, tokens)
    await opened.list_venues()
    app = build_app(opened.desk)
    async with _background() as start:
        start(opened.keep_listing())

        def ready(port: int) -> None:
            write_private(core.data / ADDRESS, f"http://{core.settings.web.host}:{port}\n")
            _announce(core, tokens, port)
            if beside is not None:
                start(beside(port, tokens, opened))

        await serve(app, core.settings.web, ready)


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


def _announce(core: Core, tokens: Tokens, port: int) -> None:
    """Where the desk is, and once, at the first start, its tokens."""
    address = f"http://{core.settings.web.host}:{port}"
    lines = [f"Nightdesk is ready: {address}", f"  market   {core.feed.describe()}"]
    venues = ", ".join(f"{name} ({venue.kind})" for name, venue in core.settings.venues.items() if venue.enabled)
    lines.append(f"  venues   {venues}")
    lines.append(f"  data     {core.data.resolve()}")
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
