"""Ids of our own making."""

import os
import random
from datetime import datetime

from nightdesk.runtime.database import to_micros

# Ids must differ, not be secret: a generator of our own makes them without a system call, which would let go of the
# interpreter lock on the path of every alert. A forked child starts from a seed of its own.
_generator = random.Random(os.urandom(32))
os.register_at_fork(after_in_child=lambda: _generator.seed(os.urandom(32)))


def new_id(now: datetime) -> str:
    """A new id: 32 hex digits, the first 14 of which sort by time, the rest random."""
    return f"{to_micros(now):014x}{_generator.getrandbits(72):018x}"
