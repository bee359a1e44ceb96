"""What a check is given and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nightdesk.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found: `ok`, `warning` or `problem`, in words, and the cure where there is one."""

    name: str
    status: str
    text: str
    cure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is looked at."""

    data: Path
    settings: Settings
    env: Mapping[str, str]
    address: str = ""
    """Where a desk over the data directory answers; empty where none does."""

    @property
    def path(self) -> Path:
        """The SQLite file, where the desk keeps its records in one."""
        return self.data / "nightdesk.db"
