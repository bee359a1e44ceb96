"""`python -m nightdesk` and the `nightdesk` command."""

from nightdesk.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
