"""The generated files say what the code says, and --check notices where they do not."""

from pathlib import Path

import pytest

from nightdesk.model.denial import DenyCode
from tools.generate.__main__ import FILES, ROOT, main


@pytest.mark.parametrize("name", FILES)
def test_the_files_in_the_tree_are_up_to_date(name: str):
    assert (ROOT / name).read_text(encoding="utf-8") == FILES[name]()


def test_every_code_has_its_line():
    text = FILES["docs/codes.md"]()
    assert all(text.count(f"| `{code.name}` | {code.meaning} | {code.next_step} |\n") == 1 for code in DenyCode)


def test_check_fails_on_a_stale_or_missing_file_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--check"], tmp_path) == 1
    assert list(tmp_path.iterdir()) == []
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / ".env.example").write_text("#NIGHTDESK_WEB__PORT=1\n")
    capsys.readouterr()
    assert main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err == ".env.example is out of date. Run: .venv/bin/python -m tools.generate\n"
    assert main([], tmp_path) == 0
    assert capsys.readouterr().out == "wrote .env.example\n"


def test_other_words_are_answered_with_the_usage(capsys: pytest.CaptureFixture[str]):
    assert main(["--chekc"]) == 2
    assert capsys.readouterr().err.startswith("usage: ")
