"""`nightdesk config show`."""

import json as jsonlib
from pathlib import Path

from nightdesk.cli.words import say, table
from nightdesk.settings import describe, load


def show_settings(config: Path | None, *, json: bool) -> None:
    """Every setting, its value and its source are printed; secrets are masked."""
    settings = load(file=config)
    lines = describe(settings)
    if json:
        say(jsonlib.dumps([{"key": line.key, "value": line.value, "source": line.source} for line in lines], indent=2))
        return
    changed = sum(1 for line in lines if line.source != "default")
    say(f"{len(lines)} settings, {changed} of them changed. Version {settings.version}.")
    table([[line.key, line.value, line.source] for line in lines])
