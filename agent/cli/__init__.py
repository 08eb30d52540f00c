"""The command line; `main` is the console script `agent`."""

from agent.cli.main import main

__all__ = ["main"]
