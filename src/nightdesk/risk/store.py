"""Halts in the database. A halt is also a file and a flag in memory; any of the three is enough to stop."""

from dataclasses import dataclass

from nightdesk.model.identifiers import OPERATOR
from nightdesk.runtime.database import Tx

GLOBAL = "global"


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltRow:
    """Whether a scope is halted, why, by whom and since when (microseconds)."""

    scope: str
    halted: bool
    reason: str
    actor: str
    at: int
    resume_digest: str | None = None
    resume_until: int | None = None


def read_halt(tx: Tx, scope: str = GLOBAL) -> HaltRow | None:
    """The state of the scope, None where it was never halted."""
    rows = tx.fetch(
        "SELECT halted, reason, actor, at, resume_digest, resume_until FROM halts WHERE scope = ?", (scope,)
    )
    if not rows:
        return None
    halted, reason, actor, at, digest, until = rows[0]
    return HaltRow(
        scope=scope,
        halted=bool(halted),
        reason=reason,
        actor=actor,
        at=at,
        resume_digest=digest,
        resume_until=until,
    )


def write_halt(tx: Tx, row: HaltRow) -> None:
    """The scope is in the state of the row."""
    tx.execute(
        "INSERT INTO halts (scope, owner_id, halted, reason, actor, at, resume_digest, resume_until)"
        " VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (scope) DO UPDATE SET halted = excluded.halted,"
        " reason = excluded.reason, actor = excluded.actor, at = excluded.at,"
        " resume_digest = excluded.resume_digest, resume_until = excluded.resume_until",
        (row.scope, OPERATOR, int(row.halted), row.reason, row.actor, row.at, row.resume_digest, row.resume_until),
    )
