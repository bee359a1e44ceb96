"""Everything that is known about one order, from the alert to the last fill."""
