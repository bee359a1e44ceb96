"""How long a file and a function may be."""

import ast
from collections.abc import Iterator

from tools.lint.source import Finding, Source

FILE_LINES = 400
FUNCTION_LINES = 60


def file_length(source: Source) -> Iterator[Finding]:
    """A file of Python has at most 400 lines."""
    if source.is_python and len(source.lines) > FILE_LINES:
        text = f"{len(source.lines)} lines, at most {FILE_LINES}; find the second noun in it and give that its own file"
        yield Finding(line=1, rule="file-length", text=text)


def function_length(source: Source) -> Iterator[Finding]:
    """A function outside the tests has at most 60 lines, counted from its def."""
    if source.within("tests"):
        return
    for node in source.nodes:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES:
            text = f"{node.name} has {length} lines, at most {FUNCTION_LINES}; name its steps and call them"
            yield Finding(line=node.lineno, rule="function-length", text=text)
