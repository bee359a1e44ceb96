"""`nightdesk doctor`: the findings in words, or as JSON."""

import json as jsonlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from nightdesk.doctor.checks import examine
from nightdesk.doctor.finding import Finding

MARKS = {"ok": "●", "warning": "◆", "problem": "▲"}


def run_doctor(*, data: Path, config: Path | None, json: bool, mark: Callable[[str], str] = str) -> None:
    """The findings are printed; the process ends with 0 where nothing has to be mended, else 1.

    `mark` colours a mark where there are colours.
    """
    findings = examine(data, config, os.environ)
    if json:
        sys.stdout.write(jsonlib.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    else:
        sys.stdout.write(report(findings, mark) + "\n")
    sys.exit(1 if any(finding.status == "problem" for finding in findings) else 0)


def report(findings: Sequence[Finding], mark: Callable[[str], str] = str) -> str:
    """A sentence, then a line per check, each that is not fine with its cure below it."""
    width = max(len(finding.name) for finding in findings)
    lines = [_headline(findings, mark)]
    for finding in findings:
        first, *more = finding.text.splitlines()
        lines.append(f"  {mark(MARKS[finding.status])} {finding.name:<{width}}  {first}")
        lines += [f"    {'':<{width}}  {each.strip()}" for each in (*more, finding.cure) if each]
    return "\n".join(lines)


def _headline(findings: Sequence[Finding], mark: Callable[[str], str]) -> str:
    problems = sum(finding.status == "problem" for finding in findings)
    warnings = sum(finding.status == "warning" for finding in findings)
    if problems:
        return f"{mark(MARKS['problem'])} {_things(problems)} to mend."
    if warnings:
        return f"{mark(MARKS['warning'])} Nothing is broken. {_things(warnings)} to know."
    return f"{mark(MARKS['ok'])} Everything looked at is fine."


def _things(count: int) -> str:
    return "One thing" if count == 1 else f"{count} things"
