"""Errors that end a command with one line and a known exit status.

AgentError          exit
├── UsageError      2       bad usage or bad input
└── ServiceError    3       a service that was asked for cannot be reached
"""

from __future__ import annotations

from typing import ClassVar

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_SERVICE = 3
EXIT_ANOMALOUS = 10
EXIT_REVIEW = 11
EXIT_INTERRUPTED = 130


class AgentError(Exception):
    """Shown as one line; everything else that escapes is a bug."""

    exit_status: ClassVar[int] = EXIT_USAGE


class UsageError(AgentError):
    """The command, its settings or its input cannot be used as they are."""


class ServiceError(AgentError):
    """A service that the user asked for cannot be reached."""

    exit_status = EXIT_SERVICE
