"""Inspectors for a conversation in which settings change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Final

from agent.api import Inspector
from agent.errors import UsageError
from agent.settings import Settings

_MOST_OPEN: Final = 4

FIXED: Final = frozenset({"data_dir", "vlm_key", "embedding_key", "knowledge_token"})
"""Settings that a conversation cannot change: where it lives, and secrets."""

_OF_THE_MODEL: Final = (
    "vlm_url", "vlm_model", "vlm_key", "vlm_timeout_s", "vlm_calls", "model_tools", "reasoner", "planner",
    "anomalygpt_clip", "anomalygpt_lm",
)  # fmt: skip
"""Settings that decide which model answers."""


class Inspectors:
    """Opens an inspector for each set of settings, and keeps the latest few.

    Args:
        explicit: what was given on the command line.
        config: the settings file.
    """

    def __init__(self, explicit: Mapping[str, Any], config: Path | None) -> None:
        self._explicit = dict(explicit)
        self._config = config
        self._lock = Lock()
        self._open: OrderedDict[tuple[tuple[str, str], ...], Inspector] = OrderedDict()
        self.first = Inspector(self.settings({}))

    def settings(self, changed: Mapping[str, str]) -> Settings:
        """The settings with some of them changed.

        Raises:
            UsageError: there is no such setting, it cannot be changed here, or the value does not suit it.
        """
        for name in changed:
            if name in FIXED:
                raise UsageError(f"{name} cannot be changed here; start agent chat with it")
            if name not in Settings.model_fields:
                raise UsageError(f"there is no setting {name!r}; /set lists them")
        return Settings.resolve({**self._explicit, **changed}, config=self._config)

    def open(self, changed: Mapping[str, str]) -> Inspector:
        """An inspector with some settings changed.

        Raises:
            UsageError: as for `settings`, or what they name cannot be used.
            ServiceError: a service that they name cannot be reached.
        """
        if not changed:
            return self.first
        settings = self.settings(changed)
        key = tuple(sorted(changed.items()))
        with self._lock:
            if key not in self._open:
                same_model = all(
                    getattr(settings, name) == getattr(self.first.settings, name) for name in _OF_THE_MODEL
                )
                self._open[key] = Inspector(settings, model=self.first.model if same_model else None)
                if len(self._open) > _MOST_OPEN:
                    _, oldest = self._open.popitem(last=False)
                    oldest.close()
            self._open.move_to_end(key)
            return self._open[key]

    def close(self) -> None:
        """Release them all."""
        with self._lock:
            for inspector in (*self._open.values(), self.first):
                inspector.close()
            self._open.clear()
