"""The pages: rendered here, readable without a script, live with one."""
