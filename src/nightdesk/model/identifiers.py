"""Ids are types, so that a venue's id can never be passed where ours is due."""

import hashlib
from typing import NewType

OwnerId = NewType("OwnerId", str)
AccountId = NewType("AccountId", str)
VenueId = NewType("VenueId", str)
HookId = NewType("HookId", str)
SignalId = NewType("SignalId", str)
Sleeve = NewType("Sleeve", str)
"""Who a position belongs to inside an account: a hook, a strategy, a person, or EXTERNAL."""
Symbol = NewType("Symbol", str)
"""Our name of what is traded, the same on every venue: `BTC-USD`."""
ClOrdId = NewType("ClOrdId", str)
"""Ours: 32 hex digits, derived, never changed once made."""
OrderId = NewType("OrderId", str)
"""The venue's."""
ExecId = NewType("ExecId", str)
"""The venue's id of one fill."""
WireId = NewType("WireId", str)
"""What goes over the wire in the place of `ClOrdId`, in the venue's own encoding."""

OPERATOR = OwnerId("operator")
EXTERNAL = Sleeve("EXTERNAL")


def derive_cl_ord_id(install_id: str, account_id: AccountId, signal_id: SignalId, leg: int) -> ClOrdId:
    """The same install, account, signal and leg always give the same id, and no other combination does.

    32 hex digits: the first 12 of the signal's id, which sort by time, so that new orders stand side by side in every
    index; then 80 bits of SHA-256 over the length-prefixed parts.
    """
    parts = "".join(f"{len(part)}:{part}," for part in (install_id, account_id, signal_id, str(leg)))
    return ClOrdId(signal_id[:12] + hashlib.sha256(parts.encode()).hexdigest()[: 32 - len(signal_id[:12])])
