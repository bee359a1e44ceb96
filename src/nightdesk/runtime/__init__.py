"""What the desk runs on: database, clock, secrets, logs. Knows nothing of trading."""
