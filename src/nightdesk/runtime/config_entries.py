"""What a settings file, the environment and the command line say, as entries that know where they stand."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

PREFIX = "NIGHTDESK_"
_FILE_SUFFIX = "_FILE"
_LARGEST_FILE = 65536
_TOML_PLACE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One value as it was written: its path in the tree, its place, and whether it is text to be read by type."""

    path: tuple[str, ...]
    value: object
    layer: Literal["file", "environment", "command line"]
    source: str
    """The file and line, the variable, or the words `command line`."""
    textual: bool = True
    hidden: bool = False
    """True where the value may be a secret and is not repeated in an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with the settings: the key, where it was written, and what is expected."""

    key: str
    source: str
    text: str

    def __str__(self) -> str:
        return f"{self.source}: {self.key}: {self.text}" if self.key else f"{self.source}: {self.text}"


def dotted(path: tuple[str, ...]) -> str:
    """The path as it is written in TOML: `risk.symbols."BRK.B".max_order_qty`."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"' for part in path)


def variable(path: tuple[str, ...]) -> str:
    """The environment variable of the path: `NIGHTDESK_WEB__PORT`."""
    return PREFIX + "__".join(re.sub(r"[^A-Z0-9]", "_", part.upper()) for part in path)


def read_file(file: Path, problems: list[Problem]) -> list[Entry]:
    """The entries of a TOML file; what cannot be read is added to the problems."""
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        problems.append(Problem(key="", source=str(file), text="there is no such file"))
        return []
    except OSError as e:
        problems.append(Problem(key="", source=str(file), text=f"cannot be read: {e.strerror}"))
        return []
    except UnicodeDecodeError as e:
        problems.append(Problem(key="", source=str(file), text=f"is not UTF-8 (byte {e.start})"))
        return []
    return read_toml(text, file.name, problems)


def read_toml(text: str, name: str, problems: list[Problem]) -> list[Entry]:
    """The entries of a TOML text, each with its line; a text that is not TOML becomes one problem with its line."""
    try:
        tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError) as e:
        place = _TOML_PLACE.search(str(e))
        line = place[1] if place and place[1] else str(text.count("\n") + 1)
        words = _TOML_PLACE.sub("", str(e))
        problems.append(Problem(key="", source=f"{name}:{line}", text=f"is not valid TOML: {words}"))
        return []
    return [
        Entry(path=path, value=value, layer="file", source=f"{name}:{line}", textual=False)
        for line, statement in _statements(text)
        for path, value in _leaves(statement)
    ]


def _statements(text: str) -> Iterator[tuple[int, dict[str, object]]]:
    # tomllib gives no line numbers. A TOML statement ends where its line does, and no shorter run of its lines is
    # valid, so lines are joined until they parse.
    header: tuple[str, ...] = ()
    pending: list[str] = []
    start = 1
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if not pending:
            start = number
        pending.append(line.removesuffix("\r"))
        try:
            statement = tomllib.loads("\n".join(pending), parse_float=Decimal)
        except tomllib.TOMLDecodeError:
            continue
        is_header = pending[0].lstrip().startswith("[")
        pending = []
        if is_header:
            header = next(_leaves(statement))[0]
        elif not statement:
            continue
        yield start, statement if is_header else _nested(header, statement)


def _nested(path: tuple[str, ...], value: dict[str, object]) -> dict[str, object]:
    for part in reversed(path):
        value = {part: value}
    return value


def _leaves(value: Mapping[str, object], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, each in value.items():
        if isinstance(each, dict) and each:
            yield from _leaves(each, (*path, name))
        else:
            yield (*path, name), each


def read_environment(env: Mapping[str, str], *, ignored: Callable[[str], bool], problems: list[Problem]) -> list[Entry]:
    """The entries of every `NIGHTDESK_...` variable that is not ignored; `..._FILE` names a file with the value."""
    entries = []
    for name in sorted(env):
        if not name.startswith(PREFIX) or ignored(name):
            continue
        target, text, hidden = name, env[name], False
        if name.endswith(_FILE_SUFFIX):
            target = name.removesuffix(_FILE_SUFFIX)
            if target in env:
                words = f"{target} is set as well: set one of the two"
                problems.append(Problem(key="", source=name, text=words))
                continue
            content = read_value_file(text)
            if content is None:
                problems.append(Problem(key="", source=name, text=f"names a file that cannot be read: {text}"))
                continue
            text, hidden = content, True
        path = tuple(target.removeprefix(PREFIX).lower().split("__"))
        entries.append(Entry(path=path, value=text, layer="environment", source=name, hidden=hidden))
    return entries


def read_value_file(name: str) -> str | None:
    """The text of a small file without its last line end, or None where it cannot be read."""
    try:
        with Path(name).open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        text = content.decode()
    except (OSError, ValueError):
        return None
    return text.removesuffix("\n").removesuffix("\r") if len(content) <= _LARGEST_FILE else None


def read_overrides(overrides: Mapping[str, str], problems: list[Problem]) -> list[Entry]:
    """The entries of `key=value` pairs from the command line; keys are written as in TOML."""
    entries = []
    for key, text in overrides.items():
        try:
            leaves = list(_leaves(tomllib.loads(f"{key} = 0")))
        except ValueError:
            leaves = []
        if len(leaves) == 1:
            entries.append(Entry(path=leaves[0][0], value=text, layer="command line", source="command line"))
        else:
            problems.append(Problem(key=key, source="command line", text="expected a key like web.port"))
    return entries
