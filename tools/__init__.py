"""What the project is built with; nothing here runs in the desk."""
