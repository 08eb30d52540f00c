"""The figures as rows of text, for the console and for documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from evals.detect.figures import MEASURES, CategoryFigures, Figures, Summary

HEADINGS: Final = (
    "category",
    "learnt",
    "good",
    "damaged",
    "AUROC [95 %]",
    "AP",
    "F1-max",
    "pixel AUROC",
    "AUPRO",
    "not measured",
)


def figures_table(summary: Summary) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Headings, and a row for each category; with several, the mean under them. Figures are per cent.

    "-" stands where a figure cannot be told; "12 (9 marked)" says that pixels were judged in nine alone.
    """
    rows = [_row(figures) for figures in summary.categories]
    if len(rows) > 1:
        total = str(sum(figures.unmeasured for figures in summary.categories))
        cells = _cells(summary.mean)
        for at, name in enumerate(MEASURES):
            if 0 < summary.mean_over[name] < len(rows):
                cells[at] += f" ({summary.mean_over[name]} of {len(rows)})"
        rows.append(("mean", "", "", "", *cells, total))
    return HEADINGS, rows


def _row(figures: CategoryFigures) -> tuple[str, ...]:
    partly = f" ({figures.marked} marked)" if figures.marked < figures.damaged else ""
    return (
        figures.category,
        str(figures.learnt),
        str(figures.good),
        f"{figures.damaged}{partly}",
        *_cells(figures),
        str(figures.unmeasured),
    )


def _cells(figures: Figures) -> list[str]:
    cells = [_percent(getattr(figures, name)) for name in MEASURES]
    if figures.image_auroc_95 is not None:
        low, high = figures.image_auroc_95
        cells[0] += f" [{_percent(low)}, {_percent(high)}]"
    return cells


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
