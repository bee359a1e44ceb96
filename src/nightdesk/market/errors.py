"""What can go wrong with a source of prices."""

from nightdesk.model.errors import NightdeskError


class FeedError(NightdeskError):
    """A source of prices cannot be opened or read; the text says which, where in it, and what to do."""
