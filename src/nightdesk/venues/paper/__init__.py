"""The paper exchange: pure matching, a ledger, the exchange itself, and the venue in process or over HTTP."""
