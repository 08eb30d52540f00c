"""The sentences in which the report explains and recommends."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from graphs.language.catalog import Catalog

SAID: Final = Catalog(Path(__file__).parents[1] / "language" / "advice")
