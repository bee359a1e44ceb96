"""The checks, each one function that looks at one thing and changes nothing."""

import http.client
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from nightdesk.doctor.finding import Finding, Patient
from nightdesk.doctor.records import records
from nightdesk.risk.halt import FILE_NAME
from nightdesk.runtime.secrets import SecretsError, load_or_create_tokens
from nightdesk.settings import TOKENS, SettingsError, load

LEAST_FREE = 1024**3


def examine(data: Path, config: Path | None, env: Mapping[str, str]) -> list[Finding]:
    """Everything that was found, in a fixed order; settings that cannot be read end the examination there."""
    try:
        settings = load(file=config, env=env, overrides={"runtime.data": str(data)})
    except SettingsError as error:
        cure = "Correct the keys named. .env.example has a line for every key."
        return [Finding(name="settings", status="problem", text=str(error), cure=cure)]
    patient = Patient(data=data, settings=settings, env=env, address=_answers_at(data))
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
    place = next(each for each in (patient.data.absolute(), *patient.data.absolute().parents) if each.exists())
    free = shutil.disk_usage(place).free
    text = f"{free / 1024**3:.1f} GiB free"
    if free < LEAST_FREE:
        cure = "Free some space: with none left the desk halts and takes no new orders."
        yield Finding(name="disk", status="problem", text=text, cure=cure)
    else:
        yield Finding(name="disk", status="ok", text=text)


def permissions(patient: Patient) -> Iterable[Finding]:
    """Nobody else can read or change what the desk keeps."""
    data = patient.data
    if not data.exists():
        cure = f"`nightdesk run --data {data}` makes it."
        yield Finding(name="data", status="warning", text=f"{data} does not exist yet", cure=cure)
    elif data.is_symlink():
        cure = f"Name the directory itself: --data {data.resolve()}"
        yield Finding(name="data", status="problem", text=f"{data} is a symbolic link", cure=cure)
    elif not data.is_dir():
        cure = "Name a directory with --data."
        yield Finding(name="data", status="problem", text=f"{data} is not a directory", cure=cure)
    elif data.stat().st_mode & 0o022:
        yield Finding(name="data", status="problem", text=f"others can write to {data}", cure=f"chmod go-w {data}")
    elif open_to_others := [str(path) for path in _files(data) if stat.S_IMODE(path.stat().st_mode) & 0o077]:
        text = f"others can read {', '.join(open_to_others)}"
        cure = f"chmod 600 {' '.join(open_to_others)}; and where tokens.json is among them, change the tokens."
        yield Finding(name="data", status="problem", text=text, cure=cure)
    else:
        yield Finding(name="data", status="ok", text=f"{data.resolve()} is private")


def _files(data: Path) -> list[Path]:
    return sorted(path for path in data.rglob("*") if path.is_file() and not path.is_symlink())


def tokens(patient: Patient) -> Iterable[Finding]:
    """The tokens are there and strong enough."""
    given = [name for name in TOKENS if name in patient.env or f"{name}_FILE" in patient.env]
    if len(given) < len(TOKENS) and not (patient.data / "tokens.json").exists():
        text = f"only {given[0]} is set" if given else "none yet"
        yield Finding(name="tokens", status="warning", text=text, cure="The first start makes what is missing.")
        return
    try:
        load_or_create_tokens(patient.data, patient.env)
    except SecretsError as error:
        cure = "Until then no desk starts here."
        yield Finding(name="tokens", status="problem", text=str(error), cure=cure)
    else:
        yield Finding(name="tokens", status="ok", text="present, private, different from each other")


def market(patient: Patient) -> Iterable[Finding]:
    """The recording to be played is there."""
    source = patient.settings.market.source
    if source in ("simulated", "live"):
        yield Finding(name="market", status="ok", text=source)
    elif Path(source).is_file():
        yield Finding(name="market", status="ok", text=f"plays {source}")
    else:
        cure = "Set market.source to a recorded .parquet or .csv file, to simulated or to live."
        yield Finding(name="market", status="problem", text=f"there is no file {source}", cure=cure)


def halted(patient: Patient) -> Iterable[Finding]:
    """Trading is not halted by a file."""
    path = patient.data / FILE_NAME
    try:
        actor, _, reason = path.read_text(encoding="utf-8").partition("\n")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        text = f"{path} cannot be read ({type(error).__name__}), and halts trading all the same"
        yield Finding(name="halt", status="problem", text=text, cure=f"Look at it: ls -l {path}")
        return
    text = f"trading is halted by {actor}: {reason.strip()}"
    yield Finding(name="halt", status="warning", text=text, cure="`nightdesk resume` begins the way back.")


def port(patient: Patient) -> Iterable[Finding]:
    """The port is free, or the desk itself has it."""
    web = patient.settings.web
    if patient.address:
        yield Finding(name="port", status="ok", text=f"the desk answers at {patient.address}")
        return
    where = f"{web.host}:{web.port}"
    cure = "Stop what uses it, or take another port with web.port or --port."
    try:
        family, kind, proto, _, address = socket.getaddrinfo(web.host, web.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        text = f"{where} cannot be used ({error.strerror or error})"
        yield Finding(name="port", status="problem", text=text, cure=cure)
    else:
        yield Finding(name="port", status="ok", text=f"{where} is free")


def _answers_at(data: Path) -> str:
    """The address in the data directory where it is a desk that answers there, else nothing."""
    try:
        address = (data / "address").read_text(encoding="utf-8").strip()
        parts = urlsplit(address)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2.0)
        try:
            connection.request("GET", "/api/health/live")
            return address if b'"live"' in connection.getresponse().read(1000) else ""
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException):
        return ""


CHECKS: tuple[Callable[[Patient], Iterable[Finding]], ...] = (
    python,
    disk,
    permissions,
    tokens,
    records,
    market,
    halted,
    port,
)
