"""Child processes that are timed from outside, and children that measure from inside and answer in JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 1800
MOST_GIB = 8
"""What a child that fits experts may take."""


class ChildFailed(Exception):
    """A child process did not end well, so that there is nothing to report."""


@dataclass(frozen=True)
class Ended:
    """A process that ended well.

    Attributes:
        seconds: wall time from before it was started until it had gone.
        stdout: what it printed.
    """

    seconds: float
    stdout: str


@dataclass(frozen=True)
class Children:
    """Starts processes that see none of the user's settings.

    Attributes:
        data_dir: the product's data folder.
        config_dir: where settings would lie; does not exist.
    """

    data_dir: Path
    config_dir: Path

    def run(self, *command: str | Path, stdin: str = "") -> Ended:
        """Run a command to its end.

        Raises:
            ChildFailed: its exit status is not 0.
        """
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENT_")}
        environment |= {"AGENT_DATA_DIR": str(self.data_dir), "XDG_CONFIG_HOME": str(self.config_dir)}
        words = [str(word) for word in command]
        started = time.perf_counter()
        try:
            ended = subprocess.run(
                words,
                input=stdin,
                capture_output=True,
                text=True,
                env=environment,
                cwd=ROOT,
                timeout=TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ChildFailed(f"cannot run {words[0]}: {error}") from error
        seconds = time.perf_counter() - started
        if ended.returncode != 0:
            last_words = "\n".join(ended.stderr.strip().splitlines()[-15:])
            raise ChildFailed(f"{' '.join(words[:4])} ended with status {ended.returncode}:\n{last_words}")
        return Ended(seconds, ended.stdout)

    def ask(self, module: str, job: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Run a module of ours that reads a job from stdin and answers on stdout, both JSON."""
        return json.loads(self.run(sys.executable, "-m", module, stdin=json.dumps(job)).stdout)


def answer(what: Any) -> None:  # noqa: ANN401 - JSON
    """What a child prints for `Children.ask`."""
    print(json.dumps(what))


def hold_memory(most_gib: int) -> None:
    """Let this process fail, not the machine, if it asks for more memory than that."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (most_gib * 2**30, most_gib * 2**30))


def peak_mib() -> float:
    """Most memory that this program has held, in MiB.

    Linux hands `ru_maxrss` on through fork and exec, so that a small child of a big process seems as big as
    that one; `VmHWM` begins anew with the program.
    """
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)  # bytes there, KiB elsewhere
