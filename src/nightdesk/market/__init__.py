"""Where prices come from: simulated, recorded or live, all onto one board."""
