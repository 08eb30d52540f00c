"""Run benchmarks and put what they print into docs/benchmarks.md, each between its own two marks.

python benchmarks/record.py [NAME ...]          (all of them if none is named)
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
DOCUMENT: Final = ROOT / "docs" / "benchmarks.md"

COMMANDS: Final = {
    "stress": "benchmarks/stress.py --seed 11 --normals 500",
    "stress-exact": "benchmarks/stress.py --seed 11 --stress none photo-like all --box-margin 0",
    "stress-patchcore": "benchmarks/stress.py --expert patchcore --seed 11 --templates 4 --count 8",
    "textiles": "benchmarks/textiles.py",
    "experts": "benchmarks/experts.py",
    "retrieval": "benchmarks/retrieval.py",
    "knowledge-scale": "benchmarks/knowledge_scale.py --passages 10000 100000",
    "templates": "benchmarks/templates.py",
    "boards": "benchmarks/boards.py",
    "mmad-boards": "benchmarks/mmad_boards.py",
    "reasoning": "benchmarks/reasoning.py",
    "mmad-throughput": "benchmarks/mmad_throughput.py --images 19",
    "mmad-folder": "benchmarks/mmad_folder.py",
    "types-boards": "benchmarks/defect_types.py --sets boards",
    "types-textiles": "benchmarks/defect_types.py --sets textiles",
    "types-dies": "benchmarks/defect_types.py --sets dies",
    "small-clip": "benchmarks/small_clip.py --cache out/rendered",
    "learnt-prompts": "benchmarks/learnt_prompts.py --cache out/rendered",
    "heard-maps": "benchmarks/anomalygpt.py --cache out/rendered",
    "simulate": "benchmarks/simulate.py",
    "type-training": "benchmarks/type_training.py",
    "inspect": "benchmarks/inspect.py --only startup inspections",
}
"""What each block of the document was printed by."""


def with_block(document: str, name: str, command: str, printed: str, day: str) -> str:
    """The document with this output in place of the block's last one.

    Raises:
        ValueError: the document has no such block.
    """
    block = (
        f"<!-- {name} -->\n`python {command}`, {day}:\n\n```text\n{printed.strip()}\n```\n<!-- /{name} -->"
    )
    pattern = rf"<!-- {re.escape(name)} -->.*?<!-- /{re.escape(name)} -->"
    changed, count = re.subn(pattern, lambda _: block, document, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{DOCUMENT.name} needs exactly one block marked {name}, it has {count}")
    return changed


def main() -> int:
    """Run, write, and return the exit status: that of the first benchmark that fails."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(COMMANDS)}")
    names = parser.parse_args().names or list(COMMANDS)
    if unknown := [name for name in names if name not in COMMANDS]:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are {', '.join(COMMANDS)}")
    for name in names:
        command = COMMANDS[name]
        print(f"{name}: python {command}", file=sys.stderr, flush=True)
        ended = subprocess.run(
            [sys.executable, *shlex.split(command)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
        )
        if ended.returncode != 0:
            return ended.returncode
        day = datetime.now(UTC).date().isoformat()
        document = with_block(DOCUMENT.read_text(encoding="utf-8"), name, command, ended.stdout, day)
        DOCUMENT.write_text(document, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
