"""The composition root, the only list of concrete things: `order_path` is the desk, `desk` adds the web to it."""
