"""The operator's API: what a script or a program asks of the desk."""
