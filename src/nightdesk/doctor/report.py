"""`nightdesk doctor`: the findings in words, or as JSON."""

import json as jsonlib
import os
import sys
from dataclasses import asdict
from pathlib import Path

from nightdesk.doctor.checks import Finding, examine

MARKS = {"ok": "●", "warning": "◆", "problem": "▲"}


def run_doctor(*, data: Path, config: Path | None, json: bool) -> None:
    """The findings are printed; the process ends with 0 where nothing has to be mended, else 1."""
    findings = examine(data, config, os.environ)
    problems = sum(1 for finding in findings if finding.status == "problem")
    if json:
        sys.stdout.write(jsonlib.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    else:
        sys.stdout.write(report(findings) + "\n")
    sys.exit(1 if problems else 0)


def report(findings: list[Finding]) -> str:
    """A sentence, then a line per check, each problem with its cure below it."""
    problems = [finding for finding in findings if finding.status == "problem"]
    warnings = [finding for finding in findings if finding.status == "warning"]
    if problems:
        head = f"▲ {len(problems)} thing{'s' if len(problems) > 1 else ''} to mend."
    elif warnings:
        head = f"◆ Nothing is broken; {len(warnings)} thing{'s' if len(warnings) > 1 else ''} to know."
    else:
        head = "● Everything looked at is fine."
    width = max(len(finding.name) for finding in findings)
    lines = [head]
    for finding in findings:
        lines.append(f"  {MARKS[finding.status]} {finding.name:<{width}}  {finding.text}")
        if finding.cure:
            lines.append(f"    {'':<{width}}  {finding.cure}")
    return "\n".join(lines)
