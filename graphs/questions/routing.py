"""What whoever answers is shown depends on what is asked (design rule: route by question)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from graphs.questions.question import Subtask

Route: TypeAlias = Literal["gate", "place", "look", "object"]
"""`gate`: the report's verdict answers, and a model is asked only where it says review. `place`: the picture,
the picture with marks, and the measured places in words. `look`: knowledge, and each place enlarged beside
the same place of a good part. `object`: the plain pictures, without marks, measurement or product name."""

ROUTES: Final[Mapping[Subtask, Route]] = {
    "Anomaly Detection": "gate",
    "Defect Localization": "place",
    "Defect Classification": "look",
    "Defect Description": "look",
    "Defect Analysis": "look",
    "Object Classification": "object",
    "Object Analysis": "object",
}
