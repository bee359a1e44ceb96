"""The checks, each one function that looks at one thing and changes nothing."""

import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nightdesk.accounts.audit import first_broken
from nightdesk.risk.halt import FILE_NAME
from nightdesk.runtime.database import Database, SqliteConnection, StoreDamaged, StoreUnavailable
from nightdesk.runtime.migrate import HEAD, current_revision
from nightdesk.runtime.reader import Reader
from nightdesk.runtime.secrets import SecretsError, load_or_create_tokens
from nightdesk.settings import Settings, SettingsError, load

LEAST_FREE = 1024**3
PRIVATE_FILES = ("nightdesk.db", "tokens.json", "install.key", "address")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found: `ok`, `warning` or `problem`, in words, and the cure where there is one."""

    name: str
    status: str
    text: str
    cure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is looked at."""

    data: Path
    settings: Settings
    env: Mapping[str, str]
    running: bool
    """True while a desk runs over the data directory."""


def examine(data: Path, config: Path | None, env: Mapping[str, str]) -> list[Finding]:
    """Everything that was found, in a fixed order; settings that cannot be read end the examination there."""
    try:
        settings = load(file=config, env=env, overrides={"runtime.data": str(data)})
    except SettingsError as error:
        cure = "Correct the keys named, or see .env.example for every key."
        return [Finding(name="settings", status="problem", text=str(error), cure=cure)]
    patient = Patient(data=data, settings=settings, env=env, running=_answers(data))
    findings = [Finding(name="settings", status="ok", text=f"read, version {settings.version}")]
    for check in CHECKS:
        findings.extend(check(patient))
    return findings


def python(patient: Patient) -> Iterable[Finding]:
    """The interpreter is named, for reports."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding(name="python", status="ok", text=f"Python {version}")


def disk(patient: Patient) -> Iterable[Finding]:
    """There is room to write."""
    place = patient.data if patient.data.exists() else Path()
    free = shutil.disk_usage(place).free
    text = f"{free / 1024**3:.1f} GiB free"
    if free < LEAST_FREE:
        cure = "Free some space: without it the desk halts new orders."
        yield Finding(name="disk", status="problem", text=text, cure=cure)
    else:
        yield Finding(name="disk", status="ok", text=text)


def permissions(patient: Patient) -> Iterable[Finding]:
    """Nobody else can read what the desk keeps."""
    if not patient.data.exists():
        cure = f"`nightdesk run --data {patient.data}` makes it."
        yield Finding(name="data", status="warning", text=f"{patient.data} does not exist yet", cure=cure)
        return
    wrong = []
    for name in PRIVATE_FILES:
        path = patient.data / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            wrong.append(str(path))
    if wrong:
        cure = f"chmod 600 {' '.join(wrong)}"
        yield Finding(name="data", status="problem", text=f"others can read {', '.join(wrong)}", cure=cure)
    else:
        yield Finding(name="data", status="ok", text=f"{patient.data.resolve()} is private")


def tokens(patient: Patient) -> Iterable[Finding]:
    """The tokens are there and strong enough."""
    if not (patient.data / "tokens.json").exists() and "NIGHTDESK_OPERATOR_TOKEN" not in patient.env:
        yield Finding(name="tokens", status="warning", text="none yet", cure="The first start makes them.")
        return
    try:
        load_or_create_tokens(patient.data, patient.env)
    except SecretsError as error:
        yield Finding(name="tokens", status="problem", text=str(error))
    else:
        yield Finding(name="tokens", status="ok", text="present, private, different from each other")


def database(patient: Patient) -> Iterable[Finding]:
    """The database opens, is whole, writes durably and has the schema of this version."""
    url = patient.settings.runtime.database
    path = patient.data / "nightdesk.db"
    if not url and not path.exists():
        yield Finding(name="database", status="warning", text="none yet", cure="The first start makes it.")
        return
    try:
        connection = Database(url or path).connect(read_only=patient.running and not url)
        try:
            if isinstance(connection, SqliteConnection):
                connection.check()
            revision = current_revision(connection)
        finally:
            connection.close()
    except (StoreUnavailable, StoreDamaged) as error:
        yield Finding(name="database", status="problem", text=str(error))
        return
    if revision != HEAD:
        cure = "The next start brings it up to date and keeps a copy of the old one."
        yield Finding(name="database", status="warning", text=f"schema {revision}, this version has {HEAD}", cure=cure)
    else:
        kind = "PostgreSQL" if url else "SQLite"
        yield Finding(name="database", status="ok", text=f"{kind}, whole, schema {revision}")


def audit_chain(patient: Patient) -> Iterable[Finding]:
    """No line of the audit was changed."""
    url = patient.settings.runtime.database
    path = patient.data / "nightdesk.db"
    if not url and not path.exists():
        return
    reader = Reader(Database(url or path))
    try:
        broken = reader.run(first_broken)
    except Exception as error:  # noqa: BLE001 - an unreadable chain is a finding, not a crash
        yield Finding(name="audit", status="problem", text=f"cannot be read ({type(error).__name__})")
        return
    finally:
        reader.close()
    if broken is None:
        yield Finding(name="audit", status="ok", text="the chain is whole")
    else:
        cure = "Find out who wrote to the database besides the desk."
        yield Finding(name="audit", status="problem", text=f"the chain breaks at line {broken}", cure=cure)


def halted(patient: Patient) -> Iterable[Finding]:
    """Trading is not halted by a file."""
    path = patient.data / FILE_NAME
    if path.exists():
        actor, _, reason = path.read_text(encoding="utf-8").partition("\n")
        text = f"trading is halted by {actor}: {reason.strip()}"
        yield Finding(name="halt", status="warning", text=text, cure="`nightdesk resume` begins the way back.")


def port(patient: Patient) -> Iterable[Finding]:
    """The port is free, or the desk itself has it."""
    web = patient.settings.web
    if patient.running:
        yield Finding(
            name="port", status="ok", text=f"the desk answers ({(patient.data / 'address').read_text().strip()})"
        )
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((web.host, web.port))
        except OSError as error:
            text = f"{web.host}:{web.port} cannot be used ({error.strerror})"
            yield Finding(name="port", status="problem", text=text, cure="Stop what uses it, or set web.port.")
        else:
            yield Finding(name="port", status="ok", text=f"{web.host}:{web.port} is free")


def _answers(data: Path) -> bool:
    try:
        address = (data / "address").read_text(encoding="utf-8").strip().rpartition("/")[2]
        host, _, number = address.rpartition(":")
        with socket.create_connection((host, int(number)), timeout=1.0):
            return True
    except (OSError, ValueError):
        return False


CHECKS: tuple[Callable[[Patient], Iterable[Finding]], ...] = (
    python,
    disk,
    permissions,
    tokens,
    database,
    audit_chain,
    halted,
    port,
)
