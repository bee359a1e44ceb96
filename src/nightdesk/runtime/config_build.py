"""Entries into settings dataclasses: every key known, every value of its type, every problem found in one pass."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, get_type_hints

from nightdesk.runtime.config_entries import Entry, Problem, dotted, variable
from nightdesk.runtime.config_values import Shape, read_value, shape_of

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9._:/!-]{0,47}")


def shapes(kind: type[Any]) -> Mapping[str, Shape]:
    """The keys of a settings dataclass and the shape of each; keys that only code sets (`init=False`) are left out."""
    hints = get_type_hints(kind, include_extras=True)
    return {each.name: shape_of(hints[each.name]) for each in fields(kind) if each.init}


def keys(kind: type[Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Shape]]:
    """Every key below the dataclass with its shape; a table of named tables stands as `*`."""
    for name, shape in shapes(kind).items():
        if shape.is_section:
            yield from keys(shape.base, (*path, name))
        elif shape.is_sections:
            yield from keys(shape.item, (*path, name, "*"))
        else:
            yield (*path, name), shape


@dataclass(slots=True)
class Builder:
    """Builds dataclasses and collects what was found on the way."""

    problems: list[Problem] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    """Where each key that was written stands, by its dotted path."""
    everywhere: tuple[tuple[str, ...], ...] = ()
    """The paths of all keys of the tree, to find the one that was meant."""

    def wrong(self, entry: Entry, text: str, path: tuple[str, ...] | None = None) -> None:
        """The entry is noted as a problem."""
        self.problems.append(Problem(key=dotted(path or entry.path), source=entry.source, text=text))

    def section(
        self,
        kind: type[Any],
        path: tuple[str, ...],
        entries: Sequence[Entry],
        given: Mapping[str, object] | None = None,
        beside: Collection[str] = (),
    ) -> Any:
        """The dataclass with the entries' values, and defaults elsewhere; None where that cannot be.

        `given` are fields that code sets: they are no keys. `beside` are keys of the table that were taken already.
        """
        before = len(self.problems)
        known = {name: shape for name, shape in shapes(kind).items() if name not in (given or {})}
        values: dict[str, object] = dict(given or {})
        for name, group in self._grouped(path, entries).items():
            if name in known:
                self._key(known[name], (*path, name), group, values)
            else:
                for entry in _without_inside(group, (*path, name)):
                    self._unknown(entry, (*path, name), {*known, *beside})
        if len(self.problems) > before:
            return None
        try:
            return kind(**values)
        except (ValueError, TypeError) as e:
            source = entries[-1].source if entries else "default"
            self.problems.append(Problem(key=dotted(path), source=source, text=str(e)))
            return None

    def names(self, shape: Shape, path: tuple[str, ...], entries: Sequence[Entry]) -> dict[str, list[Entry]]:
        """The entries of a table of named tables, by name; a name from the environment meets its own spelling."""
        grouped: dict[str, list[Entry]] = {}
        by_fold: dict[str, str] = {}
        unusable: set[str] = set()
        for entry in entries:
            if len(entry.path) == len(path):
                if entry.value != {}:
                    self.wrong(entry, "expected a table of tables, like [" + dotted((*path, "name")) + "]")
                continue
            name = entry.path[len(path)]
            if entry.layer == "environment":
                fresh = name.upper().replace("_", "-") if shape.symbol_names else name
                name = by_fold.get(_fold(name), fresh)
            if name in unusable:
                continue
            if not (_SYMBOL if shape.symbol_names else _NAME).fullmatch(name):
                unusable.add(name)
                wanted = "a symbol like BTC-USD" if shape.symbol_names else "lower-case letters, digits, '-' and '_'"
                self.wrong(entry, f"the name is not usable: expected {wanted}", (*path, name))
                continue
            by_fold.setdefault(_fold(name), name)
            grouped.setdefault(name, []).append(entry)
        return grouped

    def _key(self, shape: Shape, path: tuple[str, ...], entries: list[Entry], values: dict[str, object]) -> None:
        if shape.is_section:
            values[path[-1]] = self.section(shape.base, path, entries)
        elif shape.is_sections:
            named = self.names(shape, path, entries)
            built = {name: self.section(shape.item, (*path, name), group) for name, group in named.items()}
            values[path[-1]] = MappingProxyType(built)
        elif shape.base is Mapping:
            self._texts(shape, path, entries, values)
        else:
            self._leaf(shape, path, entries, values)

    def _leaf(self, shape: Shape, path: tuple[str, ...], entries: list[Entry], values: dict[str, object]) -> None:
        # Entries come in the order of their layers, so the last one counts; the others must be right all the same.
        for entry in _without_inside(entries, path):
            if len(entry.path) > len(path) or entry.value == {}:
                self.wrong(entry, f"expected {shape.words}, found a table", path)
                continue
            try:
                values[path[-1]] = read_value(shape, entry.value, textual=entry.textual)
            except ValueError as e:
                self.wrong(entry, f"expected {e}{_shown(shape, entry)}", path)
            self.origins[dotted(path)] = entry.source

    def _texts(self, shape: Shape, path: tuple[str, ...], entries: list[Entry], values: dict[str, object]) -> None:
        table: dict[str, object] = {}
        for entry in entries:
            inside = entry.path[len(path) :]
            try:
                if not inside:
                    table = dict(read_value(shape, entry.value, textual=entry.textual))  # type: ignore[call-overload]
                elif len(inside) == 1 and not entry.textual and isinstance(entry.value, str) and entry.value:
                    table[inside[0]] = entry.value
                else:
                    raise ValueError(shape.words)
            except ValueError as e:
                self.wrong(entry, f"expected {e}", path)
            self.origins[dotted(path)] = entry.source
        values[path[-1]] = MappingProxyType(table)

    def _grouped(self, path: tuple[str, ...], entries: Sequence[Entry]) -> dict[str, list[Entry]]:
        grouped: dict[str, list[Entry]] = {}
        for entry in entries:
            if len(entry.path) > len(path):
                grouped.setdefault(entry.path[len(path)], []).append(entry)
            elif entry.value != {}:
                self.wrong(entry, f"expected a table, like [{dotted(path)}]")
        return grouped

    def _unknown(self, entry: Entry, path: tuple[str, ...], known: Collection[str]) -> None:
        here = [(*path[:-1], name) for name in difflib.get_close_matches(path[-1], known, n=1)]
        elsewhere = [each for each in self.everywhere if each[-1] == entry.path[-1]]
        wanted = {dotted(each): each for each in self.everywhere}
        alike = [wanted[each] for each in difflib.get_close_matches(dotted(entry.path), wanted, n=1)]
        written = variable if entry.layer == "environment" else dotted
        for nearest in (*here, *elsewhere, *alike):
            self.wrong(entry, f"there is no such key; the nearest is {written(nearest)}")
            return
        self.wrong(entry, f"there is no such key; known here: {', '.join(sorted(known))}")


def _without_inside(entries: list[Entry], path: tuple[str, ...]) -> list[Entry]:
    # Where a whole table is out of place, its header is the error, and not every key in it once more.
    headed = any(entry.path == path and entry.value == {} for entry in entries)
    return [entry for entry in entries if not (headed and entry.layer == "file" and len(entry.path) > len(path))]


def _fold(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name.lower())


def _shown(shape: Shape, entry: Entry) -> str:
    if shape.masked or entry.hidden:
        return ""
    text = str(entry.value) if not isinstance(entry.value, str) else f'"{entry.value}"'
    text = text.encode("ascii", "backslashreplace").decode()
    text = re.sub(r"[\x00-\x1f\x7f]", lambda each: f"\\x{ord(each[0]):02x}", text)
    return f", found {text if len(text) <= 60 else text[:57] + '...'}"
