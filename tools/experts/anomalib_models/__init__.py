"""anomalib's own models as experts (Akcay et al. 2022, arXiv 2202.08341), run without its engine or trainer.

    weights.py      finds weights on this machine, never on the network
    opening.py      imports anomalib and opens a timm folder for it
    frame.py        the size at which a network sees a picture
    detector.py     what a model must offer to be an expert here; the bank of what it remembers
    fitted.py       remembers good pictures, leaves them out in turn, reads: the same for all models
    expert.py       what the experts share: opening once, fitting, restoring
    patches.py      models that compare patches: their bank, their map, their own places left out
    patchcore.py, anomalydino.py, winclip.py    one expert each
    clip.py         opens open_clip weights for anomalib's WinCLIP

They are chosen by name and slow to start: importing anomalib alone takes many seconds. So nothing here
imports it, or torch, before an expert is fitted or restored.
"""

from tools.experts.anomalib_models.anomalydino import AnomalyDinoExpert, AnomalyDinoOptions
from tools.experts.anomalib_models.patchcore import AnomalibPatchCoreExpert, AnomalibPatchCoreOptions
from tools.experts.anomalib_models.winclip import WinClipExpert, WinClipOptions

__all__ = [
    "AnomalibPatchCoreExpert",
    "AnomalibPatchCoreOptions",
    "AnomalyDinoExpert",
    "AnomalyDinoOptions",
    "WinClipExpert",
    "WinClipOptions",
]
