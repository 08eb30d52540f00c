"""The figures of the experts as tables that a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.tables import import_table, machine_text, milliseconds, table

Contest = Mapping[str, Any]

FLOOR: Final = "backbone alone"
PEER: Final = "anomalib PatchcoreModel"
PEER_NOTE: Final = (
    "anomalib's fit gives memory back at each step of its coreset, which slows it: its memory would else\n"
    "grow to 24 GB with 16 good pictures. Its readings are not touched by that."
)

MEDIAN, MINIMUM = 0, 1


def text(told: Mapping[str, Any]) -> str:
    """All that was measured."""
    shape = f"{told['queries']} {told['stress']} pictures read {told['repeats']} times"
    lines = [
        machine_text(told["machine"]),
        f"Drawn parts: {shape}, all contenders in turn. Ratios are of minima.",
    ]
    lines += [f"{name} cannot run here: {why}" for name, why in told["obstacles"].items()]
    blocks = ["\n".join(lines)]
    blocks += [_times(contest, told) for contest in told["contests"]]
    blocks.append(PEER_NOTE)
    blocks.append(_steps(told["contests"]))
    blocks.append(import_table("Imports, each in a process of its own", told["imports"]))
    if told["boards"]:
        blocks.append(_boards(told["boards"]))
    blocks.append(_aims(told))
    return "\n\n".join(blocks)


def _contenders(contest: Contest) -> dict[str, Any]:
    return {name: one for name, one in contest["contenders"].items() if name != "seen_px"}


def _times(contest: Contest, told: Mapping[str, Any]) -> str:
    """One line a contender: floor first, anomalib second, then the experts."""
    contenders = _contenders(contest)
    floor, peer = (contenders[name]["read_s"][MINIMUM] for name in (FLOOR, PEER))
    peaks = {(one["expert"], one["shots"]): one["peak"] for one in told["memory_mib"]}
    rows = []
    for name, one in contenders.items():
        if one["read_s"] is None:
            rows.append([name, "refused every picture", *[""] * 7])
            continue
        fastest = one["read_s"][MINIMUM]
        peak = peaks.get((name, contest["shots"]))
        rows.append([
            name,
            "" if name == FLOOR else milliseconds(one["fit_s"][MEDIAN]),
            "" if name == FLOOR else milliseconds(one["fit_s"][MINIMUM]),
            milliseconds(one["read_s"][MEDIAN]),
            milliseconds(fastest),
            f"{fastest / floor:.2f}",
            f"{peer / fastest:.2f}",
            f"{peak:.0f}" if peak else "",
            f"{one['auroc']:.3f}" if one["auroc"] is not None else "",
        ])  # fmt: skip
    side, seen = contest["side_px"], contest["contenders"]["seen_px"]
    pictures = "1 good picture" if contest["shots"] == 1 else f"{contest['shots']} good pictures"
    title = f"{pictures}, {side}x{side} px (patch experts see {seen} px)"
    header = [
        "ms", "fit", "fastest", "read", "fastest", "x backbone", "anomalib / it", "peak MiB", "AUROC"
    ]  # fmt: skip
    return table(title, header, rows)


def _steps(contests: list[Contest]) -> str:
    """Where the time of a reading goes, one column a contest."""
    names = [f"{contest['shots']} at {contest['side_px']} px" for contest in contests]
    lines: dict[tuple[str, str], list[str]] = {}
    for column, contest in enumerate(contests):
        for name, one in _contenders(contest).items():
            for step, seconds in one["steps_s"].items():
                cells = lines.setdefault((name, step), [""] * len(contests))
                cells[column] = milliseconds(seconds)
    rows = [[f"{name}: {step}", *cells] for (name, step), cells in lines.items()]
    return table("Readings by step: good pictures, median ms", ["", *names], rows)


def _boards(contenders: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{one['auroc']:.3f}" if one["auroc"] is not None else "", str(one["refused"])]
        for name, one in _contenders({"contenders": contenders}).items()
        if name != FLOOR
    ]
    title = "Boards, each after its one good twin: tested ones against good ones taken again"
    return table(title, ["", "AUROC", "refused"], rows)


def _aims(told: Mapping[str, Any]) -> str:
    """What the project wants of its experts, and what was measured; only what this run can tell."""
    rows: list[list[str]] = []

    def aim(what: str, value: float, most: float, unit: str) -> None:
        rows.append(
            [what, f"{value:.2f}{unit}", f"<= {most:g}{unit}", "reached" if value <= most else "MISSED"]
        )

    for contest in told["contests"]:
        side, shots, contenders = contest["side_px"], contest["shots"], _contenders(contest)
        fastest = {name: one["read_s"][MINIMUM] for name, one in contenders.items() if one["read_s"]}
        where = f"{shots} good, {side} px"
        if "patchcore" in fastest and side == 320:
            most = 2.5 if shots == 1 else 4.0
            aim(f"patchcore read / backbone, {where}", fastest["patchcore"] / fastest[FLOOR], most, "")
            aim(f"patchcore read / anomalib's, {where}", fastest["patchcore"] / fastest[PEER], 0.25, "")
        if "pair" in fastest and side == 640 and shots == 1:
            aim(f"pair read, {where}", 1000 * fastest["pair"], 40, " ms")
        if shots == 16:
            for name in ("pair", "patchcore"):
                if name in fastest:
                    aim(f"{name} fit, {where}", contenders[name]["fit_s"][MINIMUM], 0.5, " s")
    aim("import of pair, patchcore and ONNX Runtime", told["imports"][-1]["seconds"], 1.0, " s")
    return table("Aims", ["", "measured", "aim", ""], rows)
