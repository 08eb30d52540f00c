"""The published script's own figures, its faults included, so that a table can stand beside published ones.

`evaluation/examples/helper/summary.py` of https://github.com/jam-cc/MMAD removes invalid answers from the
list that it is walking over, so that the entry behind each is never looked at; a data set without questions
of some type that another has counts 0 for it; and so does detection on a side without images.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

ReferenceTable: TypeAlias = dict[str, dict[str, float]]
"""Row (data set, then "Average") -> column (subtask, "Average", "Overkill", "Miss") -> percent."""

_LETTERS = frozenset("ABCDE")
_MERGED = frozenset(("Object Structure", "Object Details"))
_DETECTION = "Anomaly Detection"
_AVERAGE = "Average"


def reference_score(entries: Sequence[dict[str, Any]]) -> ReferenceTable:
    """The table that the script prints with `show_overkill_miss`, for entries of an `answers.json`."""
    datasets = list(dict.fromkeys(entry["image"].split("/")[0] for entry in entries))
    columns = list(dict.fromkeys(_column(entry) for entry in entries))
    asked: defaultdict[tuple[str, ...], int] = defaultdict(int)
    right: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for entry in _looked_at(entries):
        dataset, column = entry["image"].split("/")[0], _column(entry)
        keys: list[tuple[str, ...]] = [(dataset, column)]
        if column == _DETECTION:
            keys.append((dataset, column, "normal" if "good" in entry["image"] else "anomalous"))
        for key in keys:
            asked[key] += 1
            right[key] += entry["correct_answer"] == entry["gpt_answer"]

    def share(*key: str) -> float:
        return right[key] / asked[key] if asked[key] else 0.0

    table: ReferenceTable = {}
    for dataset in datasets:
        sides = [share(dataset, _DETECTION, side) for side in ("normal", "anomalous")]
        row = {column: 100 * share(dataset, column) for column in columns}
        if _DETECTION in row:
            row[_DETECTION] = 100 * sum(sides) / 2
        row[_AVERAGE] = sum(row.values()) / len(row)
        row["Overkill"], row["Miss"] = (100 * (1 - side) for side in sides)
        table[dataset] = row
    if table:
        names = next(iter(table.values()))
        table[_AVERAGE] = {name: sum(row[name] for row in table.values()) / len(datasets) for name in names}
    return table


def _looked_at(entries: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The entries that the script counts: each invalid one hides itself and the entry behind it.

    Removing an entry moves all that follow one place down, while the script's walk goes one place up.
    """
    walk = iter(entries)
    for entry in walk:
        if entry["correct_answer"] in _LETTERS and entry["gpt_answer"] in _LETTERS:
            yield entry
        else:
            next(walk, None)


def _column(entry: dict[str, Any]) -> str:
    return "Object Analysis" if entry["question_type"] in _MERGED else str(entry["question_type"])
