"""Learnt types to and from one file, without torch: tensors as safetensors, the card in its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import ValidationError

from tools.atomic import write_atomically
from tools.defect_types.card import CARD_NAME, Card
from tools.defect_types.features import MODALITIES, Modality, Scale, Table
from tools.defect_types.predict import Array, TypeModel
from tools.errors import ExpertUnavailable

_CARD: Final = "types"
_NET, _MEAN, _SPREAD, _SEEN, _KNOWN = "net.", "scale.mean.", "scale.spread.", "seen.", "known."
_MOST_BYTES: Final = 256 * 2**20


def write_types(
    path: Path, card: Card, weights: Mapping[str, Array], scales: Mapping[Modality, Scale], seen: Table
) -> None:
    """Keep types in a file, in place of what it held, and the card beside it for people.

    Raises:
        OSError: it cannot be written.
    """
    from safetensors.numpy import save

    tensors = {f"{_NET}{name}": np.ascontiguousarray(values) for name, values in weights.items()}
    for name, scale in scales.items():
        tensors |= {f"{_MEAN}{name}": scale.mean, f"{_SPREAD}{name}": scale.spread}
        tensors |= {
            f"{_SEEN}{name}": np.ascontiguousarray(seen.values[name]),
            f"{_KNOWN}{name}": seen.known[name].astype(np.uint8),
        }
    said = card.model_dump_json(indent=1)
    write_atomically(path, save(tensors, metadata={_CARD: said}))
    write_atomically(path.with_name(CARD_NAME), said.encode())


def read_types(path: Path) -> TypeModel:
    """The types of a file.

    Raises:
        ExpertUnavailable: it is missing, damaged, or holds something else.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ExpertUnavailable(f"there are no learnt types at {path}; learn them with: agent train types")
    if path.stat().st_size > _MOST_BYTES:
        raise ExpertUnavailable(f"{path} is too large to hold learnt types")
    try:
        with safe_open(path, framework="np") as file:
            card = Card.model_validate_json((file.metadata() or {})[_CARD])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        model = _model(card, tensors)
    except (SafetensorError, OSError, KeyError, ValueError, ValidationError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExpertUnavailable(
            f"{path} holds no learnt types that can be used ({what}); learn again"
        ) from error
    return model


def _model(card: Card, tensors: Mapping[str, Array]) -> TypeModel:
    """The model, tried once, so that what does not fit is known before it is used.

    Raises:
        KeyError: a tensor is missing.
        ValueError: tensors do not fit each other, or hold NaN.
    """
    if not all(np.isfinite(values).all() for values in tensors.values()):
        raise ValueError("NaN or infinity in it")
    names = [modality for modality in MODALITIES if f"{_MEAN}{modality}" in tensors]
    if not names:
        raise KeyError(f"{_MEAN}picture")
    scales = {name: Scale(tensors[f"{_MEAN}{name}"], tensors[f"{_SPREAD}{name}"]) for name in names}
    seen = Table(
        {name: tensors[f"{_SEEN}{name}"] for name in names},
        {name: tensors[f"{_KNOWN}{name}"].astype(np.bool_) for name in names},
    )
    weights = {name[len(_NET) :]: values for name, values in tensors.items() if name.startswith(_NET)}
    model = TypeModel(card, weights, scales, seen)
    if model.logits(seen.rows([0])).shape != (1, len(card.classes)):
        raise ValueError("weights of another number of types")
    return model
