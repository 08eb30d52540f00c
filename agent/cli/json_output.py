"""JSON for programs: on stdout, and nothing else there."""

from __future__ import annotations

import json
import sys
from typing import Any


def print_json(value: Any) -> None:  # noqa: ANN401 - JSON
    """Print a value on stdout; what JSON has no form for is written as its text."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=1, default=str)
    sys.stdout.write("\n")
