"""anomalib's own `PatchcoreModel` on the embedded weights, beside our experts, on the same pictures.

All see the same 640x640 pictures, decoded; each makes them as small as it needs. Ours also calibrate (that is
in their fit) and place regions (that is in their reading); the bare peer gives a map and nothing more.
Run as a child: a job on stdin, the figures on stdout.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import cv2

from benchmarks.children import answer, peak_mib
from benchmarks.pictures import read
from tools.experts.anomalib_models import AnomalibPatchCoreExpert
from tools.experts.backbones import EmbeddedBackbone
from tools.experts.onnx_export import load_weights
from tools.experts.pair import PairExpert
from tools.experts.patchcore import PatchCoreExpert, PatchCoreOptions
from tools.types import Pixels

Read = Callable[[Pixels], Any]
Fit = Callable[[Pixels], Read]

SEEN_PX: Final = PatchCoreOptions().long_side_px
"""Side of what every backbone sees: our default, for the peer too."""

FITS: Final = 3
"""Fits on one template; a single one says more about the machine's other work than about the fit."""


class BarePeer:
    """`PatchcoreModel` as its documentation uses it: remember the good picture, thin the bank, look.

    Args:
        neighbours: how many each patch's score looks at; anomalib's default is 9, ours is 1.
        coreset: fraction of the bank that its greedy coreset keeps; None keeps all.
    """

    def __init__(self, neighbours: int, coreset: float | None) -> None:
        import torch
        from anomalib.models.image.patchcore.torch_model import PatchcoreModel

        self._torch = torch
        self._coreset = coreset
        self._model = PatchcoreModel(
            layers=["blocks.2", "blocks.4"],
            backbone="tf_efficientnet_lite0",
            pre_trained=False,
            num_neighbors=neighbours,
        )
        network = self._model.feature_extractor.feature_extractor
        # Equal tensors in equal order under other names; the classifier's come last and are not used.
        network.load_state_dict(dict(zip(network.state_dict(), load_weights().values(), strict=False)))

    def fit(self, good: Pixels) -> Read:
        """Fill the bank from one good picture."""
        model, torch = self._model, self._torch
        model.train()
        with torch.no_grad():
            model(self._batch(good))
        if self._coreset is None:
            model.memory_bank = torch.vstack(model.embedding_store)
            model.embedding_store.clear()
        else:
            model.subsample_embedding(self._coreset)
        model.eval()
        return self._read

    def _read(self, image: Pixels) -> Any:  # noqa: ANN401 - a tensor
        with self._torch.inference_mode():
            return self._model(self._batch(image)).anomaly_map

    def _batch(self, image: Pixels) -> Any:  # noqa: ANN401 - a tensor
        small = cv2.resize(image, (SEEN_PX, SEEN_PX), interpolation=cv2.INTER_AREA)
        return self._torch.from_numpy(small).permute(2, 0, 1)[None].float() / 127.5 - 1


def measure(data_dir: str, series: Sequence[Mapping[str, Any]], queries: int) -> dict[str, Any]:
    """Fit on the template of every series and read some of its queries: medians over all series.

    Args:
        data_dir: a data folder that is prepared.
        series: as `benchmarks.pictures` wrote them.
        queries: how many of each to read.
    """
    import torch

    backbone = EmbeddedBackbone(Path(data_dir) / "models")
    contenders: dict[str, Fit] = {
        "anomalib PatchcoreModel": BarePeer(neighbours=9, coreset=0.1).fit,
        "anomalib PatchcoreModel, whole bank, 1 neighbour": BarePeer(neighbours=1, coreset=None).fit,
        "anomalib-patchcore (the same, calibrated)": _fit_of(AnomalibPatchCoreExpert()),
        "patchcore (ours)": _fit_of(PatchCoreExpert(backbone)),
        "pair (ours)": _fit_of(PairExpert()),
    }
    pictures = [
        (read(one["template"]), [read(query) for query in one["queries"][:queries]]) for one in series
    ]
    rows = []
    for name, fit in contenders.items():
        good, tested = pictures[0]
        fit(good)(tested[0])  # buffers, sessions and threads are there from now on
        fits: list[float] = []
        reads: list[float] = []
        for good, tested in pictures:
            fitted = fit(good)
            fits += [_timed(fit, good)[0] for _ in range(FITS)]
            reads += [_timed(fitted, image)[0] for image in tested]
        rows.append({"name": name, "fit_s": median(fits), "read_s": median(reads)})
    return {
        "rows": rows,
        "seen_px": SEEN_PX,
        "torch_threads": torch.get_num_threads(),
        "queries": queries * len(series),
        "peak_mib": peak_mib(),
    }


def _fit_of(expert: Any) -> Fit:  # noqa: ANN401
    return lambda good: expert.fit([good]).read


def _timed(work: Callable[[Pixels], Any], image: Pixels) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work(image)
    return time.perf_counter() - started, result


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # anomalib's own deprecated imports
    job = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):  # and its progress bars
        told = measure(**job)
    answer(told)
