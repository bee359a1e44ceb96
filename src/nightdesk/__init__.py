"""A self-hosted trading desk that works while you sleep: signals in, orders out, nothing lost."""

__version__ = "0.1.0"
