"""The figures as tables that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles
from typing import Any, Final

AIMS: Final = {"cold agent inspect": 5.0, "warm inspection": 0.3, "peak memory": 1.5}
"""Seconds, seconds and GiB that the product wants to stay under on two cores."""

STEPS: Final = (
    "intake",
    "plan",
    "recall_templates",
    "measure",
    "recall_knowledge",
    "annotate",
    "reason",
    "look_closer",
    "decide",
    "advise",
    "compose",
    "overhead",
)


def text(told: dict[str, Any]) -> str:
    """All that was measured."""
    blocks = [_machine(told)]
    if "startup" in told:
        blocks.append(_startup(told))
    if "naive" in told:
        blocks.append(import_table("The naive way", told["naive"]))
    if "inspections" in told:
        blocks += [_inspections(told["inspections"]), _steps(told["inspections"])]
    if "startup" in told or "inspections" in told:
        blocks.append(_aims(told))
    return "\n\n".join(blocks)


def p95(values: Sequence[float]) -> float:
    """The 95th percentile, between neighbouring values linearly."""
    return values[0] if len(values) == 1 else quantiles(values, n=20, method="inclusive")[18]


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        return "  ".join(cells).rstrip()

    return "\n".join([title, line(header), "  ".join("-" * width for width in widths), *map(line, rows)])


def machine_text(machine: dict[str, Any]) -> str:
    """What ran where, and whether it had the machine for itself."""
    kind = (machine["processor"], machine["system"], f"Python {machine['python']}")
    lines = [
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, {', '.join(kind)}",
        ", ".join(f"{package} {version}" for package, version in machine["versions"].items()),
    ]
    if machine["load_1_min"] > 0.5:
        lines.append(
            f"OTHERS WERE AT WORK on this machine (load {machine['load_1_min']}): figures are upper bounds."
        )
    return "\n".join(lines)


def milliseconds(seconds: float) -> str:
    """Milliseconds, with a digit after the point below 100."""
    return f"{1000 * seconds:.1f}" if seconds < 0.1 else f"{1000 * seconds:.0f}"


def _machine(told: dict[str, Any]) -> str:
    settings = told["settings"]
    shape = f"{settings['images']} later inspections a series, median of {settings['repeats']} starts"
    return "\n".join(
        (
            machine_text(told["machine"]),
            f"Settings: {settings['reasoner']}. Pictures of 640x640 px, {shape}.",
            "Files that were read once lie in the system's memory: a start right after boot takes longer.",
        )
    )


def _startup(told: dict[str, Any]) -> str:
    startup = told["startup"]
    rows = [
        ["agent --help", _s(median(startup["help_s"])), _s(max(startup["help_s"]))],
        ["agent inspect", _s(median(startup["inspect_s"])), _s(max(startup["inspect_s"]))],
        ["agent inspect, first use (models converted, documents indexed)", _s(told["first_use_s"]), ""],
    ]
    cold = table("From the shell prompt to the end", ["command", "median", "slowest"], rows)
    imports = import_table("Imports of an inspection (shared packages count in each)", startup["imports"])
    return f"{cold}\n\n{imports}"


def import_table(title: str, imports: list[dict[str, Any]]) -> str:
    """What importing costs, a statement a line."""
    rows = [[row["name"], _s(row["seconds"]), f"{row['peak_mib']:.0f} MiB"] for row in imports]
    return table(title, ["import", "median", "process peak"], rows)


def _inspections(inspections: list[dict[str, Any]]) -> str:
    rows = [
        [
            f"{one['series']}, template {one['templates']}",
            milliseconds(one["import_s"]),
            milliseconds(one["open_s"]),
            milliseconds(one["first_s"]),
            milliseconds(median(one["later_s"])),
            milliseconds(p95(one["later_s"])),
            f"{one['peak_mib']:.0f}",
            ", ".join(one["experts"]) or "none",
            ", ".join(f"{count} {verdict}" for verdict, count in sorted(one["verdicts"].items())),
        ]
        for one in inspections
    ]
    header = ["ms", "import", "open", "first", "later", "p95", "peak MiB", "expert", "verdicts"]
    lines = [table("Inspections in one process", header, rows)]
    lines += [f"FAULTS in {one['series']}: {one['faults'][0]}" for one in inspections if one["faults"]]
    return "\n".join(lines)


def _steps(inspections: list[dict[str, Any]]) -> str:
    header = ["ms", *(f"{one['series']}, {one['templates']}" for one in inspections)]
    taken = {step for one in inspections for steps in one["later_steps_s"] for step in steps}
    rows = [
        [step, *(_spread([steps.get(step, 0.0) for steps in one["later_steps_s"]]) for one in inspections)]
        for step in STEPS
        if step in taken
    ]
    rows.append(["total", *(_spread(one["later_s"]) for one in inspections)])
    title = "Later inspections by step: median / p95 (recall_knowledge runs beside measure)"
    return table(title, header, rows)


def _aims(told: dict[str, Any]) -> str:
    reached: dict[str, float] = {}
    if "startup" in told:
        reached["cold agent inspect"] = median(told["startup"]["inspect_s"])
    if "inspections" in told:
        reached["warm inspection"] = max(median(one["later_s"]) for one in told["inspections"])
        reached["peak memory"] = max(one["peak_mib"] for one in told["inspections"]) / 1024
    rows = []
    for name, value in reached.items():
        unit = "GiB" if name == "peak memory" else "s"
        said = "reached" if value < AIMS[name] else "MISSED"
        rows.append([name, f"{value:.2f} {unit}", f"< {AIMS[name]:g} {unit}", said])
    return table("Aims (the slowest series counts)", ["", "measured", "aim", ""], rows)


def _spread(values: Sequence[float]) -> str:
    return f"{milliseconds(median(values))} / {milliseconds(p95(values))}"


def _s(seconds: float) -> str:
    return f"{seconds:.2f} s"
