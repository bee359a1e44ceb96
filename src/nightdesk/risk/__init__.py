"""The one gate every order passes before any venue."""
