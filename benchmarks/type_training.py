"""How long `agent train types` takes for five types of 16 crops each, as a whole, on two cores.

    python benchmarks/type_training.py [--data DEEPPCB] [--repeats N] [--shots K]

Each repeat is a process of its own that runs the command as a user would: pictures are checked, looked at and
read, types are learnt, and learnt four times more without a part of the crops, to calibrate. Dies are drawn,
with readings that are read off each picture; boards are those of DeepPCB in `--data` (or the environment
variable INSPECTION_DATA), whole, with the golden board beside each. Told are wall time and processor time: on
a machine that others use the wall time is too long, and half the processor time is what two free cores would
take at best.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
import os
import resource
import subprocess
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from benchmarks.boards import boards
from benchmarks.machine import describe
from benchmarks.tables import machine_text, table
from benchmarks.type_folders import write_boards, write_dies

AIM_S: Final = 60.0
_KINDS: Final = ("copper", "mousebite", "open", "pin-hole", "spur")
"""Five of the six types of the boards: the sixth, shorts, is the rarest."""


def taken(data: Path, out: Path, shots: int) -> tuple[float, float]:
    """Seconds of wall time and of processor time that learning from a folder takes, the start included."""
    arguments = ("train", "types", "--data", str(data), "--out", str(out), "--shots", str(shots))
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    ended = subprocess.run(
        [sys.executable, "-c", "from agent.cli import main; main()", *arguments],
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    wall = perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode:
        sys.exit(f"agent train types failed on {data}: {ended.stderr.strip()}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("INSPECTION_DATA"), metavar="DEEPPCB")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--shots", type=int, default=16, metavar="K")
    asked = parser.parse_args()
    if min(asked.repeats, asked.shots) < 1:
        parser.error("--repeats and --shots must be 1 or more")
    machine = describe()
    rows = []
    with TemporaryDirectory() as temporary:
        home = Path(temporary)
        write_dies(home / "dies", asked.shots)
        if asked.data is not None:
            write_boards(list(boards(Path(asked.data))), home / "boards", _KINDS)
        for folder in sorted(path for path in home.iterdir() if path.is_dir()):
            told = [
                taken(folder, home / "types" / f"{folder.name}{number}", asked.shots)
                for number in range(asked.repeats)
            ]
            walls, processor = zip(*told, strict=True)
            rows.append(
                [
                    folder.name,
                    f"{median(walls):.1f}",
                    f"{min(walls):.1f}",
                    f"{min(processor):.1f}",
                    "yes" if min(walls) < AIM_S else "no",
                ]
            )
    header = [
        "crops of",
        "wall s, median",
        "wall s, least",
        "processor s, least",
        f"under {AIM_S:.0f} s",
    ]
    title = f"agent train types, 5 types x {asked.shots} crops, {asked.repeats} times"
    print(f"{machine_text(machine)}\n\n{table(title, header, rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
