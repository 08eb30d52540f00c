"""The inspection agent: settings, wiring, Python API and command line.

from agent import Inspector

report = Inspector.from_settings().inspect("query.png", template="good.png")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.api import Inspection, Inspector
    from agent.errors import AgentError, ServiceError, UsageError
    from agent.settings import Settings
    from graphs.report import DefectReport

__all__ = ["AgentError", "DefectReport", "Inspection", "Inspector", "ServiceError", "Settings", "UsageError"]

_HOMES = {
    "AgentError": "agent.errors",
    "DefectReport": "graphs.report",
    "Inspection": "agent.api",
    "Inspector": "agent.api",
    "ServiceError": "agent.errors",
    "Settings": "agent.settings",
    "UsageError": "agent.errors",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the public name is
    """Load a public name at first use, so that the command line starts without it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'agent' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
