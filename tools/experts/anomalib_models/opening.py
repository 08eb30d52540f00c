"""anomalib imported in silence and offline, and timm folders opened for it under honest names."""

from __future__ import annotations

import importlib
import itertools
import math
import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from tools.errors import ExpertUnavailable
from tools.experts.anomalib_models.weights import LOCAL, ModelFolder

_TRANSFORMER_MODULES: Final = ("vision_transformer", "deit", "eva")
"""timm's modules of plain transformers, one grid of patches from first block to last."""

DEPTH_WORDS: Final = {12: "small", 24: "large", 32: "huge", 40: "giant"}
"""Words from which anomalib derives the number of blocks of a DINO backbone."""

_numbers = itertools.count()


def imported(module: str) -> Any:  # noqa: ANN401  a module without types
    """Import a module of anomalib, timm or open_clip; their deprecated imports are no news to our users.

    Raises:
        ExpertUnavailable: it cannot be imported.
    """
    # Read once, when huggingface_hub is first imported; set later it has no effect. We pass local files only,
    # so this is a second lock: not even a model's own code may ask the network.
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ImportError as error:
        raise ExpertUnavailable(f"cannot import {module} ({error}): pip install anomalib timm") from error


@dataclass(frozen=True)
class OpenedBackbone:
    """A timm model that anomalib can open.

    Attributes:
        name: under which anomalib, which judges by names, finds it and takes it for what it is.
        mean, std: of each channel in 0..1.
        strides: of the levels of a convolutional network, in pixels; none in a transformer.
        depth: number of blocks of a plain vision transformer; 0 for other networks.
        patch_px: side of its patches; 0 for other networks.
    """

    name: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    strides: tuple[int, ...] = ()
    depth: int = 0
    patch_px: int = 0

    @property
    def transformer(self) -> bool:
        """Whether it is a plain vision transformer."""
        return self.depth > 0


def open_backbone(found: ModelFolder) -> OpenedBackbone:
    """Read a timm folder and register it with timm under a name of our own.

    anomalib concludes from a backbone's *name or path* whether it is a transformer ("vit") and how deep
    ("small", "base"), so that a folder /data/activity/database is taken for a ViT-B. A name of our own cannot
    mislead it.

    Raises:
        ExpertUnavailable: timm cannot make a model of this folder.
    """
    timm = imported("timm")
    source = f"{LOCAL}{found.folder.absolute()}"
    if not timm.models.is_model_in_modules(found.architecture, _TRANSFORMER_MODULES):
        name = _registered(timm, "conv", lambda **options: timm.create_model(source, **options))
        # For features alone timm leaves at random what the weights lack; for a whole model it objects.
        _guarded(found, lambda: timm.create_model(source, pretrained=True))
        levels = _guarded(found, lambda: timm.create_model(source, pretrained=False, features_only=True))
        return OpenedBackbone(name, *_normalisation(levels), strides=tuple(levels.feature_info.reduction()))
    # The options are those that anomalib would give.
    network = _guarded(found, lambda: timm.create_model(source, pretrained=True, dynamic_img_size=True))
    depth = len(network.blocks)
    label = f"vit_dino_{DEPTH_WORDS[depth]}" if depth in DEPTH_WORDS else "vit"
    handed_over = [network]  # once, so that timm's registry does not keep it alive
    return OpenedBackbone(
        _registered(timm, label, lambda **_: handed_over.pop()),
        *_normalisation(network),
        depth=depth,
        patch_px=int(network.patch_embed.patch_size[0]),
    )


def _registered(timm: Any, label: str, make: Callable[..., Any]) -> str:  # noqa: ANN401
    def entry(pretrained: bool = False, **options: Any) -> Any:  # noqa: ANN401
        for unset in ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"):
            options.pop(unset, None)
        return make(pretrained=pretrained, **options)

    entry.__name__ = f"local_{label}_{next(_numbers)}"
    timm.models.register_model(entry)
    return entry.__name__


def _guarded(found: ModelFolder, make: Callable[[], Any]) -> Any:  # noqa: ANN401
    try:
        return make()
    except Exception as error:  # a user's folder can break timm in any way
        raise unusable(str(found.folder), error) from error


def unusable(backbone: str, error: Exception) -> ExpertUnavailable:
    """The error to raise when a library fails on a user's weights in whatever way."""
    said = str(error).splitlines()[0] if str(error) else "no message"
    return ExpertUnavailable(
        f"{backbone} cannot be used; are its weights whole and of a fitting model? "
        f"({type(error).__name__}: {said[:200]})"
    )


def _normalisation(network: Any) -> tuple[tuple[float, float, float], tuple[float, float, float]]:  # noqa: ANN401
    return checked_normalisation(*(network.pretrained_cfg.get(part) or () for part in ("mean", "std")))


def checked_normalisation(
    mean: Iterable[Any], std: Iterable[Any]
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and deviation of three channels.

    Raises:
        ExpertUnavailable: they are not three finite numbers each, or a deviation is not above zero.
    """
    try:
        first, second = ([float(value) for value in part] for part in (mean, std))
        usable = len(first) == len(second) == 3 and min(second) > 0
        usable = usable and all(math.isfinite(value) for value in (*first, *second))
    except (TypeError, ValueError):
        usable = False
    if not usable:
        raise ExpertUnavailable(f"the model's description has no usable mean and std: {mean!r}, {std!r}")
    return (first[0], first[1], first[2]), (second[0], second[1], second[2])
