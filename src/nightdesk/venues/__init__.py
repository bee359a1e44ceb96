"""Where orders go. Each venue is one file or folder behind the port of `nightdesk.model.venue`."""
