"""What may stand in the text of any file, and how secrets are compared."""

import ast
import re
from collections.abc import Iterator

from tools.lint.source import Finding, Source

_SECRET = frozenset({"token", "secret", "passphrase", "password", "passwd"})
_DERIVED = frozenset({"digest", "hash", "mac", "hmac"})

# A letter in brackets keeps this list from finding itself.
_FOREIGN = re.compile(
    r"\b[p]ypi\.org\b|\b[p]ythonhosted\b|\b[r]egistry\.(?:npmjs|yarnpkg)\b|\b[i]ndex-url\b"
    r"|(?<![\w.])/(?:[r]oot|[w]ork/(?:main|shared)|[t]mp/(?:brief|house|uvenv|bash_jobs))\b|\b[s]hared/\w+\.md\b"
    r"|\b[c]o-authored-by\b|\b[s]ub-?agents?\b|\b(?:[A]I|[c]oding) (?:agents?|assistants?)\b"
    r"|\b[l]anguage models?\b|\b[L]LMs?\b|\b[c]hatbots?\b|\b[C]laude\b|\b[A]nthropic\b|\b[G]PT-?\d|\b[C]opilot\b"
    r"|\b(?:[t]he|[y]our|[m]y) brief\b|\b[t]he lead commits\b",
    re.IGNORECASE,
)


def own_voice(source: Source) -> Iterator[Finding]:
    """A file speaks of the project alone: not of how it was made, a machine's paths or a registry's host."""
    for number, line in enumerate(source.lines, start=1):
        for match in _FOREIGN.finditer(line):
            text = f"{match[0]!r} is not of the project; say it without"
            yield Finding(line=number, rule="own-voice", text=text)


def secret_compare(source: Source) -> Iterator[Finding]:
    """Secrets and their digests are compared in constant time."""
    if source.within("tests"):
        return
    for node in source.nodes:
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if not isinstance(operator, ast.Eq | ast.NotEq) or _is_plain(left) or _is_plain(right):
                continue
            if secret := _secret(left) or _secret(right):
                text = f"{secret} compared with ==, which tells by its time how much was right; use hmac.compare_digest"
                yield Finding(line=node.lineno, rule="secret-compare", text=text)


def _secret(node: ast.expr) -> str:
    while isinstance(node, ast.Call | ast.Subscript | ast.Await):
        node = node.func if isinstance(node, ast.Call) else node.value
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    if name in {"encode", "hexdigest", "digest", "strip", "lower"} and isinstance(node, ast.Attribute):
        return _secret(node.value)
    words = name.lower().strip("_").split("_")
    if words[-1] in _SECRET or (words[-1] in _DERIVED and _SECRET & set(words)):
        return name
    return ""


def _is_plain(node: ast.expr) -> bool:
    """None, a number or an empty text on one side gives nothing away."""
    return isinstance(node, ast.Constant) and (not isinstance(node.value, str | bytes) or not node.value)
