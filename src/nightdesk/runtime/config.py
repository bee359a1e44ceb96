"""Settings of what the desk runs on."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from nightdesk.runtime.config_tree import Count, Masked, Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeConfig:
    """Where the desk keeps its data, and how it logs."""

    data: Path = Path("data")
    """The directory for the database, the tokens, the logs and the lock. Made with mode 0700 where it is missing."""
    database: Annotated[
        str, Masked(), Pattern(r"|postgresql://\S+", "empty (SQLite in the data directory) or postgresql://...")
    ] = field(default="", repr=False)
    """Empty: a SQLite file in the data directory. Or a PostgreSQL URL: postgresql://user:password@host/name."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important line that is written: debug, info, warning or error."""
    log_format: Literal["auto", "json", "pretty"] = "auto"
    """How lines look on the terminal: json, pretty, or auto (pretty on a terminal, json elsewhere). Files: json."""
    log_max_bytes: Count = 100_000_000
    """A log file that reaches this size is closed and a new one begun (bytes)."""
    log_days: Count = 30
    """Closed log files older than this are deleted (days)."""
