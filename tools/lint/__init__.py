"""The rules of this house that no other linter knows: one parse per file, one function per rule."""
