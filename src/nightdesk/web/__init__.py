"""Everything a browser, an alert or an API user sees of the desk."""
