"""`nightdesk explain` and `nightdesk audit verify`: both read the database, so they work while the desk is down."""

import json as jsonlib
from pathlib import Path

from nightdesk.accounts.audit import first_broken
from nightdesk.accounts.store import last_line
from nightdesk.cli.words import GOOD, mark, say
from nightdesk.model.errors import NightdeskError
from nightdesk.orders.store import ids_beginning
from nightdesk.runtime.database import Database, StoreUnavailable, from_micros
from nightdesk.runtime.reader import Reader
from nightdesk.settings import load
from nightdesk.web.history.fields import history_fields
from nightdesk.web.history.store import history
from nightdesk.web.story import story_lines


class NotFound(NightdeskError):
    """What was named is not there, or is not one thing."""


def open_reader(data: Path) -> Reader:
    """Reads the desk's database.

    Raises StoreUnavailable where there is none.
    """
    settings = load(overrides={"runtime.data": str(data)})
    if not settings.runtime.database and not (data / "nightdesk.db").exists():
        raise StoreUnavailable(f"There is no desk's database in {data}. Name the directory of the desk with --data.")
    return Reader(Database(settings.runtime.database or data / "nightdesk.db"))


def explain_order(cl_ord_id: str, *, data: Path, json: bool) -> None:
    """The story of the order is printed."""
    reader = open_reader(data)
    found = reader.run(lambda tx: ids_beginning(tx, cl_ord_id, limit=5))
    if not found:
        raise NotFound(f"There is no order whose id begins with {cl_ord_id!r}. `nightdesk status` lists the newest.")
    if len(found) > 1:
        raise NotFound(
            f"{cl_ord_id} begins the ids of {len(found)} orders or more; give more digits: {', '.join(found)}"
        )
    story = reader.run(lambda tx: history(tx, found[0]))
    reader.close()
    if story is None:
        raise NotFound(f"There is no order {found[0]}.")
    if json:
        say(jsonlib.dumps(history_fields(story), indent=2, default=str))
    else:
        say("\n".join(story_lines(story)))


def verify_audit(data: Path, *, json: bool) -> None:
    """The audit chain is whole, and that is printed.

    Raises NotFound with the first line that does not fit.
    """
    reader = open_reader(data)
    broken = reader.run(first_broken)
    newest = reader.run(last_line)
    reader.close()
    if broken is not None:
        raise NotFound(f"The audit chain breaks at line {broken}: it was changed, removed or put in there.")
    count = newest.seq if newest is not None else 0
    if json:
        at = from_micros(newest.at).isoformat() if newest is not None else None
        say(jsonlib.dumps({"whole": True, "lines": count, "newest": at}, indent=2))
        return
    when = f", the newest of {from_micros(newest.at):%Y-%m-%d %H:%M:%S} UTC" if newest is not None else ""
    say(f"{mark(GOOD)} The audit chain is whole: {count} lines{when}.")
