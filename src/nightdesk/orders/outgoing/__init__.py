"""What is asked of venues: commands, and the messages that carried them."""
