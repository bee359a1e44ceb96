"""The checks of what the desk has on record: they read it and leave every byte as it was."""

from collections.abc import Iterable
from pathlib import Path

from nightdesk.accounts.audit import first_broken
from nightdesk.doctor.finding import Finding, Patient
from nightdesk.doctor.store import reading
from nightdesk.runtime.database import StoreDamaged, StoreUnavailable, Tx
from nightdesk.runtime.migrate import HEAD, KNOWN
from nightdesk.runtime.store import schema_revision


def records(patient: Patient) -> Iterable[Finding]:
    """The database opens, is whole and has the schema of this version, and no line of the audit was changed."""
    url = patient.settings.runtime.database
    if not url and not patient.path.exists():
        yield Finding(name="database", status="warning", text="none yet", cure="The first start makes it.")
        return
    try:
        with reading(url, patient.path) as tx:
            revision = schema_revision(tx)
            yield _schema("PostgreSQL" if url else "SQLite", revision)
            if revision == HEAD:
                yield _audit(tx)
    except StoreDamaged as error:
        yield Finding(name="database", status="problem", text=str(error), cure=_restore(patient.path))
    except StoreUnavailable as error:
        cure = (
            "Start the server, or correct runtime.database." if url else "See who holds it: fuser " + str(patient.path)
        )
        yield Finding(name="database", status="problem", text=str(error), cure=cure)


def _schema(kind: str, revision: str | None) -> Finding:
    if revision == HEAD:
        return Finding(name="database", status="ok", text=f"{kind}, whole, schema {revision}")
    if revision is None:
        return Finding(name="database", status="warning", text=f"{kind}, empty", cure="The first start fills it.")
    text = f"{kind}, whole, schema {revision}; this version has {HEAD}"
    if revision in KNOWN:
        cure = "The next start brings it up to date and keeps a copy of the old one."
        return Finding(name="database", status="warning", text=text, cure=cure)
    cure = "Start the newer version again, or put back the copy that was made when it was upgraded."
    return Finding(name="database", status="problem", text=text, cure=cure)


def _audit(tx: Tx) -> Finding:
    broken = first_broken(tx)
    if broken is None:
        return Finding(name="audit", status="ok", text="the chain is whole")
    text = f"the chain breaks at line {broken}: it was changed, removed or put in there"
    cure = "Find out who wrote to the database besides the desk, and change the tokens."
    return Finding(name="audit", status="problem", text=text, cure=cure)


def _restore(path: Path) -> str:
    return (
        f"With the desk stopped, move it and its -wal and -shm files aside, put the newest copy from"
        f" {path.parent / 'backups'} in its place, and start: the desk compares itself with every venue."
    )
