"""Every rule there is, and what a file breaks of them."""

from collections.abc import Callable, Iterable, Iterator

from tools.lint import imports, names, size, sql, texts
from tools.lint.source import Allow, Finding, Source

Rule = Callable[[Source], Iterable[Finding]]

RULES: dict[str, Rule] = {
    rule.__name__.replace("_", "-"): rule
    for rule in (
        imports.concrete_venue,
        imports.dynamic_code,
        imports.emulator_place,
        imports.environment,
        imports.library_place,
        imports.model_purity,
        imports.relative_import,
        names.banned_name,
        names.docstring,
        size.file_length,
        size.function_length,
        sql.sql_built,
        sql.sql_money,
        sql.sql_place,
        texts.own_voice,
        texts.secret_compare,
    )
}


def findings(source: Source) -> list[Finding]:
    """What the file breaks, in order of lines; a named skip takes its findings away and must take at least one."""
    try:
        broken = [finding for rule in RULES.values() for finding in rule(source)]
    except SyntaxError as e:
        return [Finding(line=e.lineno or 1, rule="syntax", text=f"not readable as Python: {e.msg}")]
    kept = [finding for finding in broken if not any(_covers(allow, finding) for allow in source.allows)]
    return sorted([*kept, *_idle_allows(source, broken)], key=lambda finding: (finding.line, finding.rule))


def _covers(allow: Allow, finding: Finding) -> bool:
    return bool(allow.reason) and allow.rule == finding.rule and allow.first <= finding.line <= allow.last


def _idle_allows(source: Source, broken: list[Finding]) -> Iterator[Finding]:
    for allow in source.allows:
        if allow.rule not in RULES:
            text = f"no rule is called {allow.rule!r}; the rules are {', '.join(RULES)}"
        elif not allow.reason:
            text = f"no reason is given; write: lint: allow {allow.rule}: and why"
        elif not any(_covers(allow, finding) for finding in broken):
            text = f"nothing here breaks {allow.rule} any more; delete the skip"
        else:
            continue
        yield Finding(line=allow.line, rule="allow", text=text)
