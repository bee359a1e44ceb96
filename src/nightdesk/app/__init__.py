"""The composition root: the only list of concrete things. `core` is the desk itself, `desk` adds the web to it."""
