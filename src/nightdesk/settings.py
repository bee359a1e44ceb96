"""One tree of the rooms' settings: defaults, then the file, then the environment, then the command line."""

import hashlib
import ipaddress
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from nightdesk.market.config import MarketConfig
from nightdesk.model.errors import Refused
from nightdesk.model.identifiers import EXTERNAL
from nightdesk.orders.config import OrdersConfig
from nightdesk.risk.config import RiskConfig
from nightdesk.runtime.config import RuntimeConfig
from nightdesk.runtime.config_build import Builder, keys, shapes
from nightdesk.runtime.config_entries import (
    Entry,
    Problem,
    dotted,
    read_environment,
    read_file,
    read_overrides,
)
from nightdesk.runtime.config_tree import Amount, Pattern
from nightdesk.runtime.config_values import Shape
from nightdesk.sources.config import HookConfig
from nightdesk.sources.tradingview.intake import ask_of_code
from nightdesk.venues.paper.config import PaperConfig
from nightdesk.web.config import WebConfig

TOKENS = ("NIGHTDESK_WEBHOOK_TOKEN", "NIGHTDESK_OPERATOR_TOKEN")
"""Variables of the desk that are no settings: `runtime.secrets` reads them, or the files `..._FILE` names."""


class SettingsError(Exception):
    """The settings cannot be used: every problem found, each with its key, its place and what is expected."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "One setting is wrong:" if count == 1 else f"{count} settings are wrong:"
        super().__init__("\n  ".join([head, *map(str, self.problems)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueConfig:
    """One venue orders can go to; the keys of its kind stand in the same table."""

    kind: Literal["paper", "manual"]
    """What it is: paper (a simulated exchange) or manual (a person fills). May be left out where the name says it."""
    enabled: bool = True
    """False: no order goes there, and no hook sees it."""
    account: Annotated[
        str, Pattern(r"|[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "up to 64 letters, digits, '.', '_' or '-'")
    ] = ""
    """The account the venue's orders and positions belong to; empty: the venue's own name."""
    equity: Amount = Decimal(100000)
    """What the account is worth at its first start (quote currency), where the venue states no balance. A paper venue
    has its own cash."""
    paper: PaperConfig | None = None
    """The keys of kind paper; None for other kinds."""


def _one_hook() -> Mapping[str, HookConfig]:
    return {"tradingview": HookConfig(sleeve="tradingview")}


def _one_venue() -> Mapping[str, VenueConfig]:
    return {"paper": VenueConfig(kind="paper", account="paper", paper=PaperConfig())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of a desk, with names filled in: a hook has its sleeve, a venue its account."""

    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    web: WebConfig = field(default_factory=WebConfig)
    orders: OrdersConfig = field(default_factory=OrdersConfig)
    risk: RiskConfig = field(default_factory=RiskConfig)
    market: MarketConfig = field(default_factory=MarketConfig)
    hooks: Mapping[str, HookConfig] = field(default_factory=_one_hook)
    """By name. Where none is named there is one, `tradingview`."""
    venues: Mapping[str, VenueConfig] = field(default_factory=_one_venue)
    """By name. Where none is named there is one, `paper`."""
    origins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Where each key that is no default was written, by its dotted path."""

    @property
    def version(self) -> str:
        """12 hex digits that differ wherever a value differs; recorded with what was decided under them."""
        digest = hashlib.sha256()
        for line in _lines(self):
            digest.update(repr((line.key, line.value)).encode())
        return digest.hexdigest()[:12]


def load(
    *, file: Path | None = None, env: Mapping[str, str] | None = None, overrides: Mapping[str, str] | None = None
) -> Settings:
    """The settings from all four layers; raises SettingsError with every problem there is.

    `env` is the process's environment where it is None; `overrides` are keys as in TOML (`web.port`) with their texts.
    """
    single = [path for path, _ in known_keys() if "*" not in path]
    builder = Builder(everywhere=(*single, ("webhook_token",), ("operator_token",)))
    entries = read_file(file, builder.problems) if file is not None else []
    entries += read_environment(os.environ if env is None else env, ignored=_no_setting, problems=builder.problems)
    entries += read_overrides(overrides or {}, builder.problems)
    settings = _build(builder, entries)
    if settings is not None:
        builder.problems += _unsafe(settings)
    if settings is None or builder.problems:
        raise SettingsError(sorted(builder.problems, key=_place))
    return settings


def reload(
    current: Settings,
    *,
    file: Path | None = None,
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Settings | SettingsError:
    """New settings that are right as a whole, or the error, and then `current` stays in force untouched.

    Equal settings come back as the same object, so `is` tells whether anything changed.
    """
    try:
        fresh = load(file=file, env=env, overrides=overrides)
    except SettingsError as e:
        return e
    return current if fresh == current else fresh


def known_keys() -> Iterable[tuple[tuple[str, ...], Shape]]:
    """Every key there is, with its shape; where tables have names there is one of each kind: `hooks.NAME.size`."""
    for name, shape in shapes(Settings).items():
        if name == "venues":
            both = (*keys(VenueConfig, ("venues", "*")), *keys(PaperConfig, ("venues", "*")))
            yield from ((path, each) for path, each in both if path[2] not in ("name", "paper"))
        elif name != "origins":
            yield from keys(shape.item, (name, "*")) if shape.is_sections else keys(shape.base, (name,))


def _no_setting(variable: str) -> bool:
    return variable.removesuffix("_FILE") in TOKENS or variable.startswith("NIGHTDESK_TEST_")


def _place(problem: Problem) -> tuple[bool, int]:
    # Lines of the file in their order, then the rest as it was found.
    _, colon, line = problem.source.rpartition(":")
    return (False, int(line)) if colon and line.isdecimal() else (True, 0)


def _build(builder: Builder, entries: list[Entry]) -> Settings | None:
    rest = [entry for entry in entries if entry.path[0] not in ("hooks", "venues")]
    roots = {
        "hooks": _hooks(builder, [entry for entry in entries if entry.path[0] == "hooks"]),
        "venues": _venues(builder, [entry for entry in entries if entry.path[0] == "venues"]),
        "origins": MappingProxyType(builder.origins),
    }
    settings: Settings | None = builder.section(Settings, (), rest, given=roots, beside=("hooks", "venues"))
    return settings


def _hooks(builder: Builder, entries: list[Entry]) -> Mapping[str, HookConfig]:
    hooks = {}
    for name, group in builder.names(shapes(Settings)["hooks"], ("hooks",), entries).items():
        hook = builder.section(HookConfig, ("hooks", name), group)
        if hook is not None:
            hooks[name] = replace(hook, sleeve=hook.sleeve or name)
    return MappingProxyType(hooks or dict(_one_hook()))


def _venues(builder: Builder, entries: list[Entry]) -> Mapping[str, VenueConfig]:
    venues = {}
    for name, group in builder.names(shapes(Settings)["venues"], ("venues",), entries).items():
        venue = _venue(builder, name, group)
        if venue is not None:
            venues[name] = replace(venue, account=venue.account or name)
    return MappingProxyType(venues or dict(_one_venue()))


def _venue(builder: Builder, name: str, entries: list[Entry]) -> VenueConfig | None:
    path = ("venues", name)
    kinds = shapes(VenueConfig)["kind"].choices
    written = [entry for entry in entries if entry.path[2:] == ("kind",)]
    kind = str(written[-1].value) if written else name
    if kind not in kinds:
        entry = (written or entries)[-1]
        builder.wrong(entry, f"expected kind = one of {', '.join(kinds)}", (*path, "kind"))
        return None
    builder.origins.update({dotted((*path, "kind")): entry.source for entry in written})
    entries = [entry for entry in entries if entry.path[2:] != ("kind",)]
    if kind != "paper":
        venue: VenueConfig | None = builder.section(VenueConfig, path, entries, given={"kind": kind, "paper": None})
        return venue
    return _paper(builder, name, entries)


def _paper(builder: Builder, name: str, entries: list[Entry]) -> VenueConfig | None:
    path = ("venues", name)
    shared = shapes(VenueConfig).keys() - {"paper"}
    own = [entry for entry in entries if len(entry.path) > 2 and entry.path[2] not in shared]
    paper = builder.section(PaperConfig, path, own, given={"name": name}, beside=shared)
    given = {"kind": "paper", "paper": paper}
    venue: VenueConfig | None = builder.section(
        VenueConfig, path, [entry for entry in entries if entry not in own], given=given
    )
    return venue if paper is not None else None


def _unsafe(settings: Settings) -> Iterable[Problem]:
    """What is right by itself and wrong together."""
    yield from _unsafe_bind(settings)
    yield from _unsafe_proxies(settings)
    for name, hook in settings.hooks.items():
        for code, text in hook.codes.items():
            try:
                ask_of_code(text)
            except Refused as error:
                words = f"{code} must stand for one order, like symbol=BTC-USD side=buy size=0.01; {error.text}"
                yield _problem(settings, ("hooks", name, "codes"), words)
        for venue in hook.venues:
            if venue not in settings.venues:
                known = ", ".join(settings.venues)
                yield _problem(settings, ("hooks", name, "venues"), f"there is no venue {venue}; known: {known}")
        if hook.sleeve == EXTERNAL:
            yield _problem(settings, ("hooks", name, "sleeve"), f"{EXTERNAL} is kept for what the desk did not trade")
    owners: dict[str, str] = {}
    for name, venue_config in settings.venues.items():
        other = owners.setdefault(venue_config.account, name)
        if other != name:
            text = f"venue {other} has the account {venue_config.account} already; an account belongs to one venue"
            yield _problem(settings, ("venues", name, "account"), text)


def _unsafe_bind(settings: Settings) -> Iterable[Problem]:
    web = settings.web
    if bool(web.tls_certificate) != bool(web.tls_key):
        missing, given = ("tls_key", "tls_certificate") if web.tls_certificate else ("tls_certificate", "tls_key")
        yield _problem(settings, ("web", given), f"needs web.{missing} beside it")
        return
    behind_proxy = web.public_url.startswith("https://") and web.trusted_proxies
    if is_loopback(web.host) or web.tls_certificate or behind_proxy or web.allow_plain_http_on_public_bind:
        return
    yield _problem(
        settings,
        ("web", "host"),
        f"{web.host} is reachable from other machines, and without TLS the tokens would cross the network readable. "
        "Listen on 127.0.0.1 behind a proxy or tunnel on this machine; or set web.tls_certificate and web.tls_key; "
        "or, behind a proxy elsewhere that ends TLS, set web.public_url = https://... and web.trusted_proxies; "
        "or accept the risk with web.allow_plain_http_on_public_bind = true",
    )


def _unsafe_proxies(settings: Settings) -> Iterable[Problem]:
    for each in settings.web.trusted_proxies:
        try:
            network = ipaddress.ip_network(each, strict=False)
        except ValueError:
            text = f"expected addresses or networks like 10.0.0.0/8, found {each!r}"
            yield _problem(settings, ("web", "trusted_proxies"), text)
            continue
        if network.prefixlen == 0:
            text = f"{each} would let every sender choose the address it is counted under; name the proxy's own"
            yield _problem(settings, ("web", "trusted_proxies"), text)


def is_loopback(host: str) -> bool:
    """True when the host is reachable from this machine alone; a name other than localhost counts as public."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _problem(settings: Settings, path: tuple[str, ...], text: str) -> Problem:
    key = dotted(path)
    return Problem(key=key, source=settings.origins.get(key, "default"), text=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One key as `config show` prints it; what may be secret is masked."""

    key: str
    value: str
    source: str


def describe(settings: Settings) -> tuple[Line, ...]:
    """Every key with its value and where it was written: `default`, the file and line, the variable, or the command."""
    return tuple(_lines(settings))


def secret_values(settings: Settings) -> Iterable[str]:
    """The values that must never be logged, for `Redactor.register`: the database's URL and the password in it."""
    url = settings.runtime.database
    password = re.search(r"://[^:/@]*:(.+)@", url)
    yield from (url,) if url else ()
    yield from {password[1], unquote(password[1])} if password else ()


def as_text(value: object) -> str:
    """The value as the environment takes it: `none`, `true`, `30`, `one,two`, `A=B,C=D`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return str(value.value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, Mapping):
        return ",".join(f"{name}={each}" for name, each in value.items())
    return str(value)


def _lines(settings: Settings) -> Iterable[Line]:
    for name in shapes(Settings):
        if name != "origins":
            yield from _lines_of(getattr(settings, name), shapes(Settings)[name], (name,), settings.origins)


def _lines_of(value: Any, shape: Shape, path: tuple[str, ...], sources: Mapping[str, str]) -> Iterable[Line]:
    if shape.is_sections:
        for name, each in value.items():
            yield from _lines_of(each, Shape(base=type(each)), (*path, name), sources)
    elif shape.is_section and value is not None:
        for name, inner in shapes(type(value)).items():
            deeper = path if isinstance(value, VenueConfig) and name == "paper" else (*path, name)
            if not (isinstance(value, PaperConfig) and name == "name"):
                yield from _lines_of(getattr(value, name), inner, deeper, sources)
    elif not shape.is_section:
        key = dotted(path)
        text = "***" if shape.masked and value else as_text(value)
        yield Line(key=key, value=text, source=sources.get(key, "default"))
