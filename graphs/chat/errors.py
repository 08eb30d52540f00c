"""The one error of a conversation."""


class Refusal(Exception):
    """What was asked for cannot be done; one line that says why, and what to do."""
