"""The audit chain in the database: append-only, each line sealed over the one before."""

from dataclasses import dataclass

from nightdesk.runtime.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One thing somebody did. `at` in microseconds."""

    seq: int
    at: int
    actor: str
    action: str
    subject: str
    detail: str
    previous: str
    hash: str


def last_line(tx: Tx) -> AuditLine | None:
    """The newest line, None before the first."""
    lines = _lines(tx, "ORDER BY seq DESC LIMIT 1", ())
    return lines[0] if lines else None


def lines_after(tx: Tx, seq: int, limit: int) -> list[AuditLine]:
    """The next lines, oldest first."""
    return _lines(tx, "WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))


def add_line(tx: Tx, line: AuditLine) -> None:
    """The line is part of this transaction."""
    tx.execute(
        "INSERT INTO audit (seq, at, actor, action, subject, detail, previous, hash) VALUES (?,?,?,?,?,?,?,?)",
        (line.seq, line.at, line.actor, line.action, line.subject, line.detail, line.previous, line.hash),
    )


_SELECT = "SELECT seq, at, actor, action, subject, detail, previous, hash FROM audit"


def _lines(tx: Tx, clause: str, params: tuple[object, ...]) -> list[AuditLine]:
    return [
        AuditLine(seq=r[0], at=r[1], actor=r[2], action=r[3], subject=r[4], detail=r[5], previous=r[6], hash=r[7])
        for r in tx.fetch(_SELECT + " " + clause, params)
    ]
