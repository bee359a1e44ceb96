"""The table of crash points is the source's."""

import ast
from pathlib import Path

import nightdesk
from tests.path.points import POINTS


def named_in_source() -> set[object]:
    found: set[object] = set()
    for path in Path(nightdesk.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "reached":
                name = node.args[0]
                assert isinstance(name, ast.Constant), f"{path}:{node.lineno}: a crash point is named by a literal"
                found.add(name.value)
    return found


def test_every_crash_point_of_the_source_is_in_the_table_and_no_other() -> None:
    assert named_in_source() == set(POINTS)
