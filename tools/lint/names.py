"""What files, classes and functions may not be called, and what a public one must say of itself."""

import ast
import re
from collections.abc import Iterator

from tools.lint.source import Finding, Source

# fmt: off
BANNED = frozenset({
    "base", "common", "core", "engine", "handler", "helper", "manager", "misc", "processor", "provider", "service",
    "util",
})
# fmt: on
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_TWO_SENTENCES = re.compile(r"[^.][.?!] +[A-Z]")


def banned_name(source: Source) -> Iterator[Finding]:
    """No file, folder or class has a word in its name that says nothing, and no function is called just that."""
    advice = "name it for the thing it is or the act it does"
    for part in source.parts if source.is_python else ():
        yield from (
            Finding(line=1, rule="banned-name", text=f"the path has the word {word!r}; {advice}")
            for word in _banned(part)
        )
    for node in source.nodes:
        match node:
            case ast.ClassDef(name=name):
                words = _banned(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if "_" not in name.strip("_"):
                words = _banned(name)
            case _:
                continue
        for word in words:
            yield Finding(line=node.lineno, rule="banned-name", text=f"{name} has the word {word!r}; {advice}")


def _banned(name: str) -> list[str]:
    words = [word.lower() for word in _WORDS.findall(name)]
    return [word for word in words if word in BANNED or word.removesuffix("s") in BANNED]


def docstring(source: Source) -> Iterator[Finding]:
    """Every public class, function and method of the package opens with one sentence of what is true of it."""
    if not source.room or source.room.startswith("runtime/migrations/versions"):
        return
    for node in _public(source.tree):
        text = ast.get_docstring(node)
        if text is None:
            yield Finding(line=node.lineno, rule="docstring", text=f"{node.name} has none; say what is true after it")
            continue
        first = text.split("\n", 1)[0]
        if not first.endswith((".", "?")):
            advice = "its first line is no whole sentence; end it there with a full stop"
        elif _TWO_SENTENCES.search(first):
            advice = "its first line is two sentences; leave one there and put the rest below a blank line"
        else:
            continue
        yield Finding(line=node.lineno, rule="docstring", text=f"{node.name}: {advice}")


def _public(
    body: ast.Module | ast.ClassDef,
) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in body.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        if {"overload", "override", "setter"} & {_last_name(decorator) for decorator in node.decorator_list}:
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            yield from _public(node)


def _last_name(node: ast.expr) -> str:
    return ast.unparse(node).split("(", 1)[0].rsplit(".", 1)[-1]
