"""The paper exchange as a server of its own; `serve` runs one, `listening` opens one inside a running loop."""

from nightdesk.venues.paper.server.serve import listening, serve

__all__ = ["listening", "serve"]
