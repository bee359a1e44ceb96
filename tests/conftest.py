"""Fixtures that more than one room uses, and how examples are looked for."""

from hypothesis import settings

pytest_plugins = ["tests.databases"]

# How long an example takes says more about who else uses the machine than about the code.
settings.register_profile("nightdesk", deadline=None)
settings.load_profile("nightdesk")
