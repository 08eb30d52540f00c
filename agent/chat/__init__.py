"""The chat in the terminal, in which a verdict is taken apart."""
