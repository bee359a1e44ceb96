"""Where SQL stands, how it is made, and what it leaves to Python."""

import ast
import re
from collections.abc import Iterator
from typing import TypeGuard

from tools.lint.source import Finding, Source

# SQL in capitals anywhere at the start of a line of the text, or wholly small: prose opens with one capital only.
_VERBS = (
    r"SELECT\s|INSERT\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+[\w.\"]+\s+(AS\s+\w+\s+)?SET\s|DELETE\s+FROM\s|REPLACE\s+INTO\s"
    r"|WITH\s+(RECURSIVE\s+)?\w+\s*(\([^)]*\)\s*)?AS\s*\(|PRAGMA\s+\w|BEGIN\s+IMMEDIATE"
    r"|SET\s+(LOCAL|SESSION)\s"
    r"|(CREATE|ALTER|DROP)\s+(UNIQUE\s+|TEMP\s+)?(TABLE|INDEX|VIEW|TRIGGER|SEQUENCE)\s"
)
_SQL = re.compile(rf"^\s*\(?\s*({_VERBS})", re.MULTILINE)
_SMALL = re.compile(
    r"^\s*(select\s[\w\s.*,()\"]+\sfrom\s+\w|insert\s+into\s+\w|update\s+\w+\s+set\s|delete\s+from\s+\w)"
)
_HOMES = re.compile(r"(.*/)?store|runtime/(database|migrate|migrations)(/.*)?")

MONEY = (
    r"\b(?:\w+_)?(?:qty|px|price|notional|cash|cost|pnl|balance|equity|margin|amount|fees?)\b"
    r"|\bfee_(?:amount|paid|total)\b"
)
_MONEY = re.compile(MONEY)
_NAME = rf"(?:\w+\.|:)?(?:{MONEY})"
_MONEY_RULES = (
    ("adds up", re.compile(rf"\b(?:SUM|TOTAL|AVG|MIN|MAX|ABS|ROUND)\s*\(\s*(?:DISTINCT\s+)?{_NAME}", re.IGNORECASE)),
    ("calculates with", re.compile(rf"{_NAME}\s*[-+*/%](?!>)|(?<!-)(?<!\|)[-+/%]\s*{_NAME}|[\w)]\s+\*\s*{_NAME}")),
    ("compares", re.compile(rf"{_NAME}\s*(?:<|>|BETWEEN\b)|(?<![->])[<>]=?\s*{_NAME}", re.IGNORECASE)),
)
_ORDER_BY = re.compile(r"\bORDER\s+BY\s+(?P<terms>[^;)]*?)(?=\bLIMIT\b|\bOFFSET\b|\bFOR\b|[;)]|$)", re.IGNORECASE)


def sql_place(source: Source) -> Iterator[Finding]:
    """SQL stands in the store.py of a room, in runtime/database.py and with the migrations only."""
    if not source.room or _HOMES.fullmatch(source.room):
        return
    for node in _strings(source):
        if _is_sql(_text(node)):
            yield Finding(line=node.lineno, rule="sql-place", text="SQL outside a store; move it into store.py")


def sql_built(source: Source) -> Iterator[Finding]:
    """No value is put into the text of SQL; only what is fixed when the file is written may be: constants, len()."""
    if source.within("tests"):
        return
    text = "a value put into SQL; pass it as a parameter, or name a CONSTANT that holds the columns"
    for line in sorted({node.lineno for node in source.nodes if _builds_sql(node)}):
        yield Finding(line=line, rule="sql-built", text=text)


def _builds_sql(node: ast.AST) -> TypeGuard[ast.expr]:
    match node:
        case ast.JoinedStr(values=values):
            return _is_sql(_text(node)) and not all(_is_fixed(part) for part in values)
        case ast.BinOp(op=ast.Add()):
            first, *others = _terms(node)
            return _is_sql(_text(first)) and not all(_is_fixed(term) for term in others)
        case ast.BinOp(op=ast.Mod(), left=left):
            return _is_sql(_text(left))
        case ast.Call(func=ast.Attribute(value=value, attr="format" | "format_map" | "replace")):
            return _is_sql(_text(value))
    return False


def _terms(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_terms(node.left), *_terms(node.right)]
    return [node]


def _is_fixed(node: ast.expr) -> bool:
    """Nothing in the expression varies but a length: CONSTANTS, literals, and their methods."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id == "len"
    if isinstance(node, ast.Name):
        return node.id == node.id.upper()
    return all(_is_fixed(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))


def sql_money(source: Source) -> Iterator[Finding]:
    """SQL keeps money and quantities and gives them back; Python alone adds, compares and orders them."""
    if not source.room:
        return
    for node in _strings(source):
        sql = _text(node)
        if not _is_sql(sql):
            continue
        did = [what for what, pattern in _MONEY_RULES if pattern.search(sql)]
        if any(_MONEY.search(match["terms"]) for match in _ORDER_BY.finditer(sql)):
            did.append("orders by")
        for what in did:
            text = f"SQL {what} money; on SQLite it is text, so read the rows and do it with Decimal"
            yield Finding(line=node.lineno, rule="sql-money", text=text)


def _strings(source: Source) -> Iterator[ast.Constant | ast.JoinedStr]:
    inside = {id(part) for node in source.nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    skipped = inside | source.docstrings
    for node in source.nodes:
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in skipped:
            yield node


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=values):
            return "".join(_text(part) or " ? " for part in values)
    return ""


def _is_sql(text: str) -> bool:
    return bool(_SQL.search(text) or _SMALL.search(text))
