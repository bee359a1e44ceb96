"""What plays into the desk when it is shown."""
