"""The ledger of signals: every one that came, traded or not, and which of them were repeats."""
