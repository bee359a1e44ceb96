"""The schema and its history, one revision a file."""
