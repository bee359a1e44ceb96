"""Who may import what: the rules that hold for single libraries and venues, by file and line."""

import ast
import re
import sys
from collections.abc import Iterator

from tools.lint.source import Finding, Source

# Each wire library and where it belongs, as paths below src/nightdesk; "" would be everywhere, none is nowhere.
_HTTP_ROOMS = ("runtime", "venues", "notify", "accounts", "market", "funding", "sources", "emulators")
_SERVERS = ("web", "emulators", "venues/paper/server")
LIBRARIES: dict[str, tuple[str, ...]] = {
    "aiohttp": (),
    "alembic": ("runtime",),
    "arro3": ("market", "backtest"),
    "asyncpg": (),
    "ccxt": ("venues/ccxt", "market/live"),
    "fastapi": ("web", "emulators"),
    "httpx": (),
    "httpx2": _HTTP_ROOMS,
    "jinja2": ("web", "emulators"),
    "prometheus_client": ("runtime",),
    "psycopg": ("runtime/database", "doctor"),
    "pydantic": ("web", "venues", "notify", "accounts", "market", "funding", "sources", "emulators"),
    "requests": (),
    "rich": ("__main__", "cli", "doctor", "setup", "demo"),
    "sqlalchemy": ("runtime",),
    "sqlite3": ("runtime/database", "doctor"),
    "starlette": _SERVERS,
    "structlog": ("runtime",),
    "typer": ("__main__", "cli"),
    "urllib3": (),
    "uvicorn": (*_SERVERS, "app", "cli"),
    "uvloop": ("runtime", "app", "cli"),
}
# What the model does without although the standard library has it: it neither reads nor writes nor waits.
# fmt: off
_OUTWARD = frozenset({
    "asyncio", "ctypes", "http", "importlib", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets",
    "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading",
    "time", "urllib",
})
# fmt: on
_VENUE = re.compile(r"nightdesk\.venues\.(\w+)(?:\.(\w+))?")
_VENUE_FURNITURE = frozenset({"ccxt", "config"})
_EMULATOR_USERS = ("emulators", "demo", "cli", "__main__")


def imported(source: Source) -> Iterator[tuple[int, str]]:
    """Each import of the file as (line, full name); "from a import b" is a.b."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, _full(source, node, alias.name)) for alias in node.names)


def _full(source: Source, node: ast.ImportFrom, name: str) -> str:
    if not node.level:
        return f"{node.module}.{name}"
    inside = source.parts[1 : len(source.parts) - node.level]
    return ".".join((*inside, *filter(None, (node.module,)), name))


def relative_import(source: Source) -> Iterator[Finding]:
    """No import climbs to a folder above with dots."""
    for node in source.nodes:
        if isinstance(node, ast.ImportFrom) and node.level > 1:
            text = "a relative import that climbs; write the full name from nightdesk on"
            yield Finding(line=node.lineno, rule="relative-import", text=text)


def library_place(source: Source) -> Iterator[Finding]:
    """Each wire library is imported only where it belongs."""
    for line, name in imported(source) if source.room else ():
        library = name.split(".", 1)[0]
        rooms = LIBRARIES.get(library)
        if rooms is None or _in(source.room, rooms):
            continue
        where = f"it belongs to {', '.join(rooms)}" if rooms else "nothing here uses it; HTTP is nightdesk.runtime.http"
        text = f"{library} is not imported here: {where}"
        yield Finding(line=line, rule="library-place", text=text)


def model_purity(source: Source) -> Iterator[Finding]:
    """The model imports itself and those parts of the standard library that do nothing to the world."""
    if not _in(source.room, ("model",)):
        return
    for line, name in imported(source):
        top = name.split(".", 1)[0]
        if name.startswith("nightdesk.model.") or (top in sys.stdlib_module_names and top not in _OUTWARD):
            continue
        text = f"{name} in the model, which has words only; do this in the room above that needs it"
        yield Finding(line=line, rule="model-purity", text=text)


def concrete_venue(source: Source) -> Iterator[Finding]:
    """A venue is loaded by app and backtest.py only; others are handed one, and settings.py sees its config."""
    if not source.room or _in(source.room, ("app", "backtest")):
        return
    for line, name in imported(source):
        match = _VENUE.match(name)
        if match is None or _in(source.room, (f"venues/{match[1]}",)):
            continue
        if match[1] in _VENUE_FURNITURE and _in(source.room, ("venues",)):
            continue
        if "config" in match.groups() and source.room == "settings":
            continue
        text = f"{match[1]} is a concrete venue; take a Venue as a parameter and let app pass it in"
        yield Finding(line=line, rule="concrete-venue", text=text)


def emulator_place(source: Source) -> Iterator[Finding]:
    """The emulators are imported by the demo, the command line and the tests only."""
    if not source.room or _in(source.room, _EMULATOR_USERS):
        return
    for line, name in imported(source):
        if name.startswith("nightdesk.emulators"):
            text = "an emulator in the desk itself; point the venue's address at it instead"
            yield Finding(line=line, rule="emulator-place", text=text)


def dynamic_code(source: Source) -> Iterator[Finding]:
    """No text is run as code and no data is unpickled."""
    if source.within("tests"):
        return
    advice = "read it as data: JSON, TOML, or a dict of the functions there are"
    for node in source.nodes:
        match node:
            case ast.Call(func=ast.Name(id="eval" | "exec" | "compile" | "__import__" as call)):
                yield Finding(line=node.lineno, rule="dynamic-code", text=f"{call} runs text; {advice}")
            case ast.Attribute(value=ast.Name(id="importlib"), attr="import_module"):
                yield Finding(line=node.lineno, rule="dynamic-code", text=f"import_module runs a name; {advice}")
    for line, name in imported(source):
        if name.split(".", 1)[0] in {"pickle", "marshal", "shelve", "dill"} or name == "importlib.import_module":
            yield Finding(line=line, rule="dynamic-code", text=f"{name} loads code from data; {advice}")


def environment(source: Source) -> Iterator[Finding]:
    """The environment is read in settings.py and runtime/secrets.py, and handed in where a command begins."""
    if not source.room or _in(source.room, ("settings", "runtime/secrets", "cli", "doctor", "demo", "app/process")):
        return
    text = "the environment is read by settings.py, and where a command begins; take the value as a parameter"
    names = {"environ", "environb", "getenv", "putenv"}
    for line, name in imported(source):
        if name.startswith("os.") and name.removeprefix("os.") in names:
            yield Finding(line=line, rule="environment", text=text)
    for node in source.nodes:
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr=attr) if attr in names:
                yield Finding(line=node.lineno, rule="environment", text=text)


def _in(room: str, homes: tuple[str, ...]) -> bool:
    return any(room == home or room.startswith(f"{home}/") for home in homes)
