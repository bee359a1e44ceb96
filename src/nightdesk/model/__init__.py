"""The words of the desk: frozen values, enums and ports. Standard library only, no I/O."""
