"""Each rule of tools/lint, once broken and once kept."""

import pytest

from tools.lint.rules import RULES, findings
from tools.lint.source import Source

STORE = "src/nightdesk/orders/store.py"
ROUTE = "src/nightdesk/orders/route.py"

# rule: (path of the bad one, its text, path of the good one, its text)
SAMPLES: dict[str, tuple[str, str, str, str]] = {
    "concrete-venue": (
        ROUTE,
        "from nightdesk.venues import paper\n",
        "src/nightdesk/app.py",
        "from nightdesk.venues import paper\n",
    ),
    "dynamic-code": (
        ROUTE,
        "import importlib\nimportlib.import_module('a')\n",
        ROUTE,
        "import importlib.resources\nimportlib.resources.files('a')\n",
    ),
    "emulator-place": (
        "src/nightdesk/venues/kucoin.py",
        "import nightdesk.emulators.kucoin\n",
        "src/nightdesk/demo/start.py",
        "import nightdesk.emulators.kucoin\n",
    ),
    "environment": (
        ROUTE,
        "import os\nHOME = os.environ['HOME']\n",
        "src/nightdesk/settings.py",
        "import os\nHOME = os.environ['HOME']\n",
    ),
    "library-place": (
        ROUTE,
        "from fastapi import FastAPI\n",
        "src/nightdesk/web/server.py",
        "from fastapi import FastAPI\n",
    ),
    "model-purity": (
        "src/nightdesk/model/order.py",
        "from nightdesk.runtime import clock\n",
        "src/nightdesk/model/order.py",
        "from nightdesk.model import enums\nfrom decimal import Decimal\n",
    ),
    "relative-import": (ROUTE, "from ..model import order\n", ROUTE, "from .store import book\n"),
    "banned-name": (ROUTE, "class OrderManager:\n    '''An A.'''\n", ROUTE, "class Book:\n    '''The orders.'''\n"),
    "docstring": (
        ROUTE,
        "def route():\n    '''Routes. Then more'''\n",
        ROUTE,
        "def route():\n    '''Every leg has a destination.\n\n    Raises nothing.\n    '''\n",
    ),
    "file-length": (ROUTE, "x = 1\n" * 401, ROUTE, "x = 1\n" * 400),
    "function-length": (
        "bench/intake.py",
        "def measure():\n" + "    x = 1\n" * 60,
        "bench/intake.py",
        "def measure():\n" + "    x = 1\n" * 59,
    ),
    "sql-built": (
        STORE,
        "def _read(tx, name):\n    tx.execute(f'SELECT a FROM {name}')\n",
        STORE,
        "def _read(tx, name):\n    tx.execute('SELECT a FROM b WHERE name = ?', (name,))\n",
    ),
    "sql-money": (
        STORE,
        "TOTAL = 'SELECT account_id, SUM(cum_qty) FROM orders GROUP BY account_id'\n",
        STORE,
        "ALL = 'SELECT account_id, cum_qty FROM orders WHERE account_id = ? ORDER BY account_id'\n",
    ),
    "sql-place": (ROUTE, "OPEN = 'SELECT a FROM orders'\n", STORE, "OPEN = 'SELECT a FROM orders'\n"),
    "own-voice": ("README.md", "Made by a sub" + "agent.\n", "README.md", "Made by people and machines.\n"),
    "secret-compare": (
        "src/nightdesk/accounts/tokens.py",
        "def _known(given, row):\n    return digest(given) == row.token_digest\n",
        "src/nightdesk/accounts/tokens.py",
        "def _known(given, row):\n    return compare_digest(digest(given), row.token_digest)\n",
    ),
}


def broken(path: str, text: str) -> list[str]:
    return [finding.rule for finding in findings(Source(path, text))]


def test_every_rule_has_a_sample() -> None:
    assert SAMPLES.keys() == RULES.keys()


@pytest.mark.parametrize("rule", sorted(SAMPLES))
def test_a_bad_sample_breaks_its_rule_and_no_other(rule: str) -> None:
    path, text, _, _ = SAMPLES[rule]

    assert broken(path, text) == [rule]


@pytest.mark.parametrize("rule", sorted(SAMPLES))
def test_a_good_sample_breaks_nothing(rule: str) -> None:
    _, _, path, text = SAMPLES[rule]

    assert broken(path, text) == []


def test_a_finding_says_where_and_what_to_do() -> None:
    [finding] = findings(Source(ROUTE, "import os\n\nHOME = os.getenv('HOME')\n"))

    assert (finding.line, finding.rule) == (3, "environment")
    assert "take the value as a parameter" in finding.text


@pytest.mark.parametrize(
    "text",
    [
        "import requests  # lint: allow library-place: the venue ships it so\n",
        "# lint: allow library-place: the venue ships it so\nimport requests\n",
        "# lint: allow library-place: the venue ships it so\nfrom requests import (\n    get,\n    post,\n)\n",
        "from requests import (\n    get,\n    post,  # lint: allow library-place: the venue ships it so\n)\n",
    ],
)
def test_a_named_skip_covers_the_statement_it_stands_at(text: str) -> None:
    assert broken(ROUTE, text) == []


def test_a_skip_at_a_definition_does_not_cover_its_body() -> None:
    text = "# lint: allow library-place: no\ndef _f():\n    import requests\n"

    assert broken(ROUTE, text) == ["allow", "library-place"]


@pytest.mark.parametrize(
    ("comment", "complaint"),
    [
        ("# lint: allow library-place", "no reason is given"),
        ("# lint: allow library-place:", "no reason is given"),
        ("# lint: allow libraries: because", "no rule is called 'libraries'"),
    ],
)
def test_a_skip_without_a_reason_or_a_rule_skips_nothing(comment: str, complaint: str) -> None:
    found = findings(Source(ROUTE, f"import requests  {comment}\n"))

    assert [finding.rule for finding in found] == ["allow", "library-place"]
    assert complaint in found[0].text


def test_a_skip_of_nothing_is_itself_a_finding() -> None:
    [finding] = findings(Source(ROUTE, "import json  # lint: allow library-place: it was needed once\n"))

    assert finding.rule == "allow"
    assert "delete the skip" in finding.text


def test_a_skip_quoted_in_a_text_is_no_skip() -> None:
    assert broken(ROUTE, "HINT = '# lint: allow library-place: why'\nimport requests\n") == ["library-place"]


def test_a_skip_in_a_page_stands_in_its_own_comment() -> None:
    text = "<p>api." + "p" + "ypi.org</p> <!-- lint: allow own-voice: shows an address -->\n"

    assert broken("docs/guide/a.md", text) == []


def test_a_file_that_is_not_python_says_so() -> None:
    assert broken(ROUTE, "def (\n") == ["syntax"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM b",
        "select a, b from c where d = ?",
        "\n    INSERT INTO a (b) VALUES (?)",
        "INSERT OR IGNORE INTO a (b) VALUES (?)",
        "UPDATE a SET b = ?",
        "DELETE FROM a",
        "WITH late AS (SELECT a FROM b) DELETE FROM c",
        "CREATE UNIQUE INDEX a ON b (c)",
        "PRAGMA synchronous = FULL",
    ],
)
def test_sql_is_known_by_its_shape(sql: str) -> None:
    assert broken(ROUTE, f"X = {sql!r}\n") == ["sql-place"]


@pytest.mark.parametrize(
    "prose",
    [
        "Select an account from the list",
        "Update the settings, then set the switch",
        "Delete from here on",
        "SELECTED FROM",
        "updated and set",
        "with care",
    ],
)
def test_prose_is_not_taken_for_sql(prose: str) -> None:
    assert broken(ROUTE, f"X = {prose!r}\n") == []


@pytest.mark.parametrize(
    "expression",
    [
        "f'SELECT a FROM b WHERE c = {c}'",
        "'SELECT a FROM b WHERE c = %s' % c",
        "'SELECT a FROM b WHERE c = ' + c",
        "'SELECT a FROM b WHERE c = ' + COLUMNS + c",
        "f'SELECT a FROM b WHERE c IN ({\",\".join(c)})'",
        "'SELECT a FROM b WHERE c = {}'.format(c)",
        "'SELECT a FROM b WHERE c = X'.replace('X', c)",
    ],
)
def test_no_way_of_putting_a_value_into_sql_passes(expression: str) -> None:
    assert broken(STORE, f"def _f(c):\n    return {expression}\n") == ["sql-built"]


@pytest.mark.parametrize(
    "expression",
    [
        "f'SELECT {COLUMNS} FROM b WHERE c = ?'",
        "'SELECT ' + _COLUMNS + ' FROM b WHERE c = ?'",
        'f\'SELECT a FROM b WHERE c IN ({",".join("?" * len(c))})\'',
        'f\'INSERT INTO b (c, d) VALUES ({",".join("?" * 2)})\'',
        "'SELECT a FROM b' ' WHERE c = ?'",
    ],
)
def test_sql_made_of_what_is_fixed_passes(expression: str) -> None:
    assert broken(STORE, f"def _f(c):\n    return {expression}\n") == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT SUM(fee) FROM fills",
        "SELECT MAX(f.last_px) FROM fills f",
        "SELECT a FROM orders ORDER BY price",
        "SELECT a FROM orders WHERE b = ? ORDER BY c, avg_px DESC LIMIT 5",
        "SELECT a FROM positions WHERE cash > ?",
        "SELECT a FROM positions WHERE ? <= notional",
        "SELECT a FROM orders WHERE price BETWEEN ? AND ?",
        "SELECT order_qty - cum_qty FROM orders",
        "SELECT last_qty * last_px FROM fills",
        "UPDATE orders SET cum_qty = cum_qty + ? WHERE a = ?",
    ],
)
def test_sql_that_reckons_with_money_is_found(sql: str) -> None:
    assert "sql-money" in broken(STORE, f"X = {sql!r}\n")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM orders",
        "SELECT COUNT(*), price FROM orders",
        "SELECT price, -1 FROM orders",
        "UPDATE orders SET cum_qty = ?, avg_px = ? WHERE version = ? + 1",
        "SELECT body ->> 'price' FROM signals ORDER BY seq",
        "SELECT cum_qty FROM orders WHERE seq > ? ORDER BY seq LIMIT ?",
        "INSERT INTO orders (order_qty, price) VALUES (:order_qty, :price)",
        "SELECT price_source FROM bars ORDER BY price_source",
        "SELECT price FROM bars WHERE seq < ? AND symbol = ? ORDER BY seq",
    ],
)
def test_sql_that_keeps_money_as_it_is_passes(sql: str) -> None:
    assert broken(STORE, f"X = {sql!r}\n") == []


@pytest.mark.parametrize("comparison", ["secret != other", "self._passphrase == x", "a == token.encode()"])
def test_comparing_a_secret_is_found(comparison: str) -> None:
    assert broken(ROUTE, f"OK = {comparison}\n") == ["secret-compare"]


@pytest.mark.parametrize(
    "comparison", ["token_id == x", "secret == ''", "password is None", "digest == x", "tokens == 3"]
)
def test_comparing_what_is_no_secret_passes(comparison: str) -> None:
    assert broken(ROUTE, f"OK = {comparison}\n") == []


@pytest.mark.parametrize(
    ("path", "text", "rule"),
    [
        ("src/nightdesk/orders/helpers.py", "", "banned-name"),
        ("src/nightdesk/engine/run.py", "", "banned-name"),
        (ROUTE, "class HTTPHandler:\n    '''It is one.'''\n", "banned-name"),
        (ROUTE, "def utils():\n    '''It is true.'''\n", "banned-name"),
        (ROUTE, "import sqlite3\n", "library-place"),
        (ROUTE, "import ccxt.async_support as ccxt\n", "library-place"),
        ("src/nightdesk/model/order.py", "import logging\n", "model-purity"),
        ("src/nightdesk/venues/paradex.py", "from nightdesk.venues.lighter import sign\n", "concrete-venue"),
        ("src/nightdesk/web/desk.py", "import nightdesk.venues.paper.matching\n", "concrete-venue"),
        ("src/nightdesk/settings.py", "from nightdesk.venues.paper import matching\n", "concrete-venue"),
        (ROUTE, "import pickle\n", "dynamic-code"),
        (ROUTE, "def route():\n    '''Every leg has a destination. It may be none.'''\n", "docstring"),
        (ROUTE, "class Route:\n    '''A way.'''\n\n    def go(self):\n        return 1\n", "docstring"),
        (ROUTE, "from os import environ\n", "environment"),
    ],
)
def test_other_ways_to_break_a_rule_are_found(path: str, text: str, rule: str) -> None:
    assert broken(path, text) == [rule]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/nightdesk/venues/paradex.py", "from nightdesk.venues.ccxt import CcxtVenue\n"),
        ("src/nightdesk/venues/paper/server.py", "import uvicorn\nfrom nightdesk.venues.paper import matching\n"),
        ("src/nightdesk/runtime/database.py", "import sqlite3\nimport psycopg\nX = 'SELECT a FROM b'\n"),
        ("src/nightdesk/runtime/migrations/versions/0001_first.py", "def upgrade():\n    X = 'CREATE TABLE a (b)'\n"),
        ("src/nightdesk/settings.py", "from nightdesk.venues.paper.config import PaperConfig\n"),
        (ROUTE, "def run_engine():\n    '''The engine has run.'''\n"),
        (ROUTE, "class Score:\n    '''How well it went.'''\n"),
        ("tests/orders/test_route.py", "import pickle\nimport fastapi\nX = f'SELECT {1} FROM a'\n"),
    ],
)
def test_what_a_room_may_do_passes(path: str, text: str) -> None:
    assert broken(path, text) == []
