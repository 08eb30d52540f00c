"""Fitted experts on disk: tensors as safetensors, facts as JSON; nothing in them can run.

A fit is named by what it came from: expert, version, good images, scope. So a stale one is never found, and
one that is found is never stale. A damaged one is as good as none: it is fitted again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from tools.atomic import write_atomically
from tools.errors import ExpertError
from tools.experts.base import Expert, FittedExpert, FittedState, Scope

FORMAT: Final = 1
TENSORS: Final = "fit.safetensors"
FACTS: Final = "fit.json"


def save_fitted(fitted: FittedExpert, expert: Expert, folder: Path, *, normals: Sequence[str] = ()) -> None:
    """Keep a fitted expert in a folder of its own.

    Args:
        fitted: what to keep.
        expert: the expert that made it, for its version.
        folder: made if it is not there; what it held of an earlier fit is replaced.
        normals: sha256 of the good images behind it, for the record.

    Raises:
        OSError: the folder cannot be written.
    """
    from safetensors.numpy import save

    state = fitted.state()
    tensors = save({name: np.ascontiguousarray(array) for name, array in state.arrays.items()})
    facts = {
        "format": FORMAT,
        "expert": expert.name,
        "version": expert.version,
        "normals_sha256": list(normals),
        "tensors_sha256": hashlib.sha256(tensors).hexdigest(),
        "facts": dict(state.facts),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / TENSORS, tensors)
    # Written last and naming the tensors by their hash: a fit cut short is not taken for a whole one.
    write_atomically(folder / FACTS, json.dumps(facts, indent=1).encode())


def load_fitted(expert: Expert, folder: Path) -> FittedExpert:
    """The fitted expert that a folder keeps.

    Raises:
        ExpertError: there is none, it is damaged, or it is of another expert or version; fit it again.
        ExpertUnavailable: the expert's weights or a package are missing.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    again = "fit the expert again on its good images"
    try:
        facts: Any = json.loads((folder / FACTS).read_bytes())
        tensors = (folder / TENSORS).read_bytes()
        made = (facts["format"], facts["expert"], facts["version"])
        if made != (FORMAT, expert.name, expert.version):
            wanted = f"{expert.name} {expert.version}"
            raise ExpertError(f"{folder} keeps {made[1]} {made[2]}, not {wanted}: {again}")
        if hashlib.sha256(tensors).hexdigest() != facts["tensors_sha256"]:
            raise ExpertError(f"{folder / TENSORS} is damaged: {again}")
        return expert.restore(FittedState(load(tensors), facts["facts"]))
    except FileNotFoundError as error:
        raise ExpertError(f"{folder} keeps no whole fitted expert: {again}") from error
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise ExpertError(f"the fit in {folder} cannot be used ({error}): {again}") from error


class FitShelf:
    """Keeps fits from run to run, up to a size; what was not used for longest goes first."""

    def __init__(self, folder: Path, *, most_bytes: int = 2_000_000_000) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def find(self, expert: Expert, normals: Sequence[str], scope: Scope) -> FittedExpert | None:
        """The fit of this expert on these good images, named by sha256 in order; None if there is none."""
        folder = self._place(expert, normals, scope)
        if not (folder / FACTS).is_file():
            return None
        try:
            found = load_fitted(expert, folder)
            (folder / FACTS).touch()
        except (ExpertError, OSError):
            return None
        return found

    def keep(self, fitted: FittedExpert, expert: Expert, normals: Sequence[str], scope: Scope) -> None:
        """Keep a fit if the disk lets us; a fit that cannot be kept costs time next run and nothing else."""
        folder = self._place(expert, normals, scope)
        try:
            save_fitted(fitted, expert, folder, normals=normals)
            self._tidy()
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)

    def _place(self, expert: Expert, normals: Sequence[str], scope: Scope) -> Path:
        key = "\n".join((expert.name, expert.version, scope.digest, *normals))
        return self._folder / f"{expert.name}-{hashlib.sha256(key.encode()).hexdigest()[:32]}"

    def _tidy(self) -> None:
        """Let the fits go that were not used for longest, until the rest fits."""
        kept = 0
        facts = sorted(self._folder.glob(f"*/{FACTS}"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in facts:
            kept += sum(file.stat().st_size for file in path.parent.iterdir())
            if kept > self._most_bytes:
                shutil.rmtree(path.parent, ignore_errors=True)
