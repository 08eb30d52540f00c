"""The text reader itself: PP-OCR's detector and recogniser, as the package `rapidocr` ships them.

PP-OCR finds text by differentiable binarisation (Liao et al., AAAI 2020) and reads each line at once with a
network trained by connectionist temporal classification. It runs on ONNX Runtime and fetches nothing.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tools.errors import PrintReaderUnavailable
from tools.types import Pixels

if TYPE_CHECKING:
    from rapidocr import RapidOCR

Quad: TypeAlias = npt.NDArray[np.float32]
"""Corners of a line of text, shape (4, 2) as (x, y): top left, top right, bottom right, bottom left."""

SHORTEST_SIDE_PX = 320
"""A picture with a shorter side than this is enlarged by the detector, however long the other side is."""

_INSTALL = "pip install 'rapidocr>=3.10,<4'"
_LONGEST_SIDE = 4000  # of what the engine takes without making it smaller

_LOCK = threading.Lock()
"""The engine keeps settings between calls, so that only one thread may use it at a time."""


@dataclass(frozen=True)
class Reading:
    """What one cut says: text, and how sure the reader is of each of its characters (0..1)."""

    text: str
    characters: tuple[float, ...]

    @property
    def confidence(self) -> float:
        """Mean over the characters; 0 where there are none."""
        return sum(self.characters) / len(self.characters) if self.characters else 0.0


def detect(pixels: Pixels) -> list[Quad]:
    """Where lines of text are, in pixels of `pixels`.

    Raises:
        PrintReaderUnavailable: the package or its weights are missing.
    """
    found = _call(pixels, use_det=True, use_cls=False, use_rec=False)
    boxes = getattr(found, "boxes", None)
    return [] if boxes is None else [np.asarray(box, np.float32) for box in boxes]


def recognise(cut: Pixels) -> Reading:
    """The line of text that fills a cut, upright.

    Raises:
        PrintReaderUnavailable: the package or its weights are missing.
    """
    found = _call(cut, use_det=False, use_cls=False, use_rec=True, return_word_box=True)
    text = found.txts[0] if found.txts else ""
    confs = [float(conf) for conf in getattr(found.word_results[0], "confs", ())] if text else []
    if len(confs) != len(text):  # no telling which is whose
        confs = [float(found.scores[0])] * len(text)
    return Reading(text, tuple(min(1.0, max(0.0, conf)) for conf in confs))


def _call(pixels: Pixels, **switches: bool) -> Any:  # noqa: ANN401 - one of four kinds of result, by switches
    with _LOCK:
        return _engine()(np.ascontiguousarray(pixels[:, :, ::-1]), **switches)  # it was trained on BGR


@cache
def _engine() -> RapidOCR:
    try:
        import rapidocr
    except ImportError as error:
        raise PrintReaderUnavailable(f"printed text cannot be read: {_INSTALL}") from error
    folder = Path(rapidocr.__file__).parent / "models"
    weights = {stage: next(iter(sorted(folder.glob(f"*_{stage}_*.onnx"))), None) for stage in ("det", "rec")}
    if missing := [stage for stage, file in weights.items() if file is None]:
        raise PrintReaderUnavailable(
            f"printed text cannot be read, since rapidocr holds no weights ({', '.join(missing)}): {_INSTALL}"
        )
    return rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.max_side_len": _LONGEST_SIDE,
            "Global.text_score": 0.0,  # doubtful readings are told as such, not dropped
            "Det.limit_side_len": SHORTEST_SIDE_PX,
            "Det.model_path": str(weights["det"]),
            "Rec.model_path": str(weights["rec"]),
        }
    )
