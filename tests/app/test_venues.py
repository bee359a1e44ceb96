"""Every venue in the folder is one the desk can be told to open."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2] / "src" / "nightdesk"


def test_the_list_of_venues_is_the_folder() -> None:
    """A venue nobody registered would be dead code; one that is gone would fail at its first use."""
    folder = {path.stem for path in (ROOT / "venues").iterdir() if not path.name.startswith("__")}
    tree = ast.parse((ROOT / "app" / "venues.py").read_text(encoding="utf-8"))
    named = {
        node.module.split(".")[2]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nightdesk.venues.")
    }
    assert named == folder
