"""What is held: positions, reservations and cash, folded from what orders did."""
