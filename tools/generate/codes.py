"""docs/codes.md: every refusal code, what it means and what to do."""

from nightdesk.model.denial import DenyCode

_HEAD = """# Codes

Why the desk did not do something. A code stands in the answer to an alert, beside the signal or order on its page, and
in `nightdesk explain`; the text beside it names the field, the value and the limit of that one case. What a venue says
in its own words is an order's text, never one of these.

This page is generated from `src/nightdesk/model/denial.py` by `python -m tools.generate`.

| Code | What it means | What to do |
|---|---|---|
"""


def codes() -> str:
    """The whole text of docs/codes.md."""
    rows = [f"| `{code.name}` | {_cell(code.meaning)} | {_cell(code.next_step)} |" for code in DenyCode]
    return _HEAD + "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
