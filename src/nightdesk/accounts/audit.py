"""The audit: halts, approvals, settlements, logins and changes of settings, in a chain that shows any edit."""

import hashlib
import json
from datetime import datetime

from nightdesk.accounts.store import AuditLine, add_line, last_line, lines_after
from nightdesk.runtime.database import Tx, to_micros

GENESIS = "0" * 64
_PAGE = 1000


def note(tx: Tx, *, actor: str, action: str, subject: str = "", detail: str = "", now: datetime) -> AuditLine:
    """What was done is on record, in the same transaction as its effect; secrets never go in here."""
    before = last_line(tx)
    seq = before.seq + 1 if before is not None else 1
    previous = before.hash if before is not None else GENESIS
    at = to_micros(now)
    sealed = seal(seq, at, actor, action, subject, detail, previous)
    line = AuditLine(
        seq=seq, at=at, actor=actor, action=action, subject=subject, detail=detail, previous=previous, hash=sealed
    )
    add_line(tx, line)
    return line


def seal(seq: int, at: int, actor: str, action: str, subject: str, detail: str, previous: str) -> str:
    """The hash (SHA-256, hex) over a line and the hash of the line before."""
    text = json.dumps([seq, at, actor, action, subject, detail, previous], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def first_broken(tx: Tx) -> int | None:
    """The number of the first line that was changed, removed or put in; None when the chain is whole."""
    seq, previous = 0, GENESIS
    while lines := lines_after(tx, seq, _PAGE):
        for line in lines:
            expected = seal(line.seq, line.at, line.actor, line.action, line.subject, line.detail, previous)
            if line.seq != seq + 1 or line.previous != previous or line.hash != expected:
                return seq + 1
            seq, previous = line.seq, line.hash
    return None
