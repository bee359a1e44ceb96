"""Settings of the order path."""

from dataclasses import dataclass

from nightdesk.runtime.config_tree import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersConfig:
    """How long an order may wait, and how often the desk looks, all in seconds."""

    deadline_market: Seconds = 30.0
    """A market order not sent within this time is ended as DEADLINE."""
    deadline_limit: Seconds = 300.0
    """A limit or stop order not sent within this time is ended as DEADLINE."""
    held_expires: Seconds = 3600.0
    """An order that waits for a person is ended as DEADLINE after this time."""
    sweep: Seconds = 1.0
    """How often the desk looks for queued commands that nobody woke it for."""
    probe_after: Seconds = 5.0
    """How long after sending without an answer the venue is first asked for the order."""
    probe_interval: Seconds = 2.0
    """How often a venue is asked for an order in doubt."""
    open_orders_every: Seconds = 10.0
    """How often the venue's open orders are compared with ours."""
    positions_every: Seconds = 60.0
    """How often the venue's positions and balances are compared with ours."""
