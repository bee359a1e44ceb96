"""Where signals come from: every way of asking for an order, each blind to the others."""
