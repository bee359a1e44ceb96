"""A file as the rules see it: read once, parsed once, asked many times."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

_ALLOW = re.compile(r"lint: allow (?P<rule>[a-z-]+)(?:: *(?P<reason>.*?))?\s*(?:-->|\*/|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong at one line, and what to do about it."""

    line: int
    rule: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """A named skip: findings of `rule` on the lines `first` to `last` stand, for the reason given."""

    line: int
    first: int
    last: int
    rule: str
    reason: str


class Source:
    """One file of the project; `path` is relative to its root, with slashes."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text

    @property
    def is_python(self) -> bool:
        """Whether the rules for Python apply."""
        return self.path.endswith(".py")

    @cached_property
    def lines(self) -> list[str]:
        """The text line by line, without line ends."""
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed module; a file that is not Python has an empty one."""
        return ast.parse(self.text if self.is_python else "", self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree, parents before children."""
        return list(ast.walk(self.tree))

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The path in pieces, the last without its suffix."""
        return tuple(self.path.rsplit(".", 1)[0].split("/"))

    @property
    def room(self) -> str:
        """The path below src/nightdesk without the suffix, or "" outside the package: "venues/paper/server"."""
        return "/".join(self.parts[2:]) if self.parts[:2] == ("src", "nightdesk") else ""

    def within(self, *tops: str) -> bool:
        """Whether the file lies in one of the top folders named."""
        return self.parts[0] in tops

    @cached_property
    def docstrings(self) -> set[int]:
        """The ids of the nodes that are docstrings, which no rule about strings reads."""
        return {
            id(node.body[0].value)
            for node in self.nodes
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
            and isinstance(node.body[0].value, ast.Constant)
            and isinstance(node.body[0].value.value, str)
        }

    @cached_property
    def allows(self) -> list[Allow]:
        """The named skips: a comment beside code covers its statement, one on a line of its own the statement below."""
        if "lint: allow" not in self.text:
            return []
        return [self._allow(line, match) for line, comment in self._comments() for match in _ALLOW.finditer(comment)]

    def _comments(self) -> Iterator[tuple[int, str]]:
        if not self.is_python:
            yield from enumerate(self.lines, start=1)
            return
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string

    def _allow(self, line: int, match: re.Match[str]) -> Allow:
        alone = self.is_python and self.lines[line - 1].lstrip().startswith("#")
        first, last = self._statement(line + 1 if alone else line)
        return Allow(line=line, first=min(first, line), last=last, rule=match["rule"], reason=match["reason"] or "")

    def _statement(self, line: int) -> tuple[int, int]:
        """The lines of the smallest statement that holds `line`; of a definition, its first lines up to its body."""
        spans = [_span(node) for node in self.nodes if isinstance(node, ast.stmt)]
        holding = [(first, last) for first, last in spans if first <= line <= last]
        return min(holding, key=lambda span: span[1] - span[0], default=(line, line))


def _span(node: ast.stmt) -> tuple[int, int]:
    first, last = node.lineno, node.end_lineno or node.lineno
    body = getattr(node, "body", None)
    if isinstance(body, list) and body:
        return first, max(first, body[0].lineno - 1)
    return first, last
