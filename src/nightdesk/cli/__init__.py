"""The command line. Nothing heavy is imported before a command needs it, so that help comes at once."""

import sys

from nightdesk.cli.commands import app
from nightdesk.cli.words import EXIT_FAILED, fail

__all__ = ["app", "main"]


def main() -> None:
    """Runs the command named on the command line; ends with its exit code."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(EXIT_FAILED)
    except Exception as error:  # noqa: BLE001 - the last place where an error can become a sentence
        fail(error)
