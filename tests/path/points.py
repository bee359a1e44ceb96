"""The named crash points; `test_points.py` fails when the source has one that is not here."""

POINTS = (
    "writer.before_commit",
    "writer.after_commit",
    "migrate.before_commit",
    "accept.before_commit",
    "accept.after_commit",
    "recover.begun",
    "recover.doubted",
    "recover.compared",
    "recover.orders",
    "recover.fills",
    "confirm.before_commit",
    "confirm.after_commit",
    "send.before_commit",
    "send.before_first_byte",
    "send.after_commit",
    "send.answered",
)
