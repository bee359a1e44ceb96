"""A PostgreSQL schema of one's own, for as long as it is needed."""

import contextlib
from collections.abc import Iterator

import psycopg


@contextlib.contextmanager
def schema_of_its_own(url: str, name: str) -> Iterator[str]:
    """The URL under which everything happens in a schema of that name, which is gone after the block."""
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        connection.execute(f'CREATE SCHEMA "{name}"'.encode())
    try:
        yield f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{name}"
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET lock_timeout = '10s'")
            connection.execute(f'DROP SCHEMA "{name}" CASCADE'.encode())
