"""Ids of our own making."""

import os
from datetime import datetime

from nightdesk.runtime.database import to_micros


def new_id(now: datetime) -> str:
    """A new id: 32 hex digits, the first 14 of which sort by time, the rest random."""
    return f"{to_micros(now):014x}{os.urandom(9).hex()}"
