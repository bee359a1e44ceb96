"""The one order path: route, accept, send, confirm, reconcile."""
