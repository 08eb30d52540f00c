"""Folders of crops or pictures with a type each, as people lay them out, and what is unsuitable in them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tools.defect_types.card import TypeData
from tools.errors import LearningError
from tools.geometry import clip_box
from tools.image import ImageStore
from tools.marked.layouts import recognised
from tools.masks import Mask
from tools.types import Box

SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

LAYOUTS: Final = (
    "one folder of pictures for each type (TYPE/NAME.png, with masks/TYPE/NAME.png where only a place of a "
    "picture counts), annotations.json in COCO's format beside the pictures, or marked pictures with types "
    "(good/, bad/TYPE/ and masks/TYPE/; MVTec AD, MPDD, MAD, VisA, Real-IAD)"
)

MASKS: Final = "masks"
REFERENCES: Final = "references"
ANNOTATIONS: Final = "annotations.json"

_MOST_CROPS: Final = 20_000


@dataclass(frozen=True)
class Sample:
    """A place of a picture and its type. `box` None: all of it. `good` is a picture of the good part."""

    picture: Path
    label: str
    box: Box | None = None
    good: Path | None = None


@dataclass(frozen=True)
class TypeFolder:
    """Samples in an order that depends on nothing but names; `notes` say what was left out."""

    folder: Path
    layout: str
    samples: tuple[Sample, ...]
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The types, in alphabetical order."""
        return tuple(sorted({sample.label for sample in self.samples}))

    @property
    def counts(self) -> dict[str, int]:
        """Samples of each type."""
        counted = Counter(sample.label for sample in self.samples)
        return {name: counted[name] for name in self.classes}

    def few(self, shots: int, seed: int) -> TypeFolder:
        """So many samples of each type, drawn by seed.

        Raises:
            LearningError: a type has fewer.
        """
        short = {name: count for name, count in self.counts.items() if count < shots}
        if short:
            told = ", ".join(f"{name} has {count}" for name, count in short.items())
            raise LearningError(
                f"{shots} crops of each type are wanted, but {told}; add some, or ask for fewer"
            )
        rng = np.random.default_rng([seed, shots])
        kept: set[Sample] = set()
        for name in self.classes:
            own = [sample for sample in self.samples if sample.label == name]
            kept |= {own[at] for at in rng.permutation(len(own))[:shots]}
        return replace(self, samples=tuple(sample for sample in self.samples if sample in kept))


def find_samples(folder: Path, images: ImageStore) -> TypeFolder:
    """The samples of a folder in one of the known layouts.

    Raises:
        LearningError: the layout is not known, or there are less than two types.
        ImageError: a mask cannot be read.
        ExpertError: a folder of marked pictures is damaged.
    """
    if not folder.is_dir():
        raise LearningError(f"there is no folder {folder}; give one laid out as {LAYOUTS}")
    layout, found = _read(folder, images)
    if not found:
        raise LearningError(f"{folder} is not laid out as {LAYOUTS}")
    if len(found) > _MOST_CROPS:
        raise LearningError(f"{folder} holds {len(found)} crops; {_MOST_CROPS} at most can be learnt from")
    found.sort(key=lambda one: (one.label, one.picture.as_posix(), one.box.xyxy if one.box else ()))
    result = TypeFolder(folder, layout, tuple(found))
    if len(result.classes) < 2:
        raise LearningError(
            f"{folder} holds one type, {result.classes[0]!r}; two at least are needed to tell apart"
        )
    boxed = sum(sample.box is not None for sample in found)
    if boxed not in (0, len(found)):
        raise LearningError(
            f"{folder} marks places on {boxed} of {len(found)} pictures: mark them on all (masks/) or on none"
        )
    return result


def check_samples(
    found: TypeFolder, images: ImageStore, tick: Callable[[], None] = lambda: None
) -> tuple[TypeFolder, TypeData]:
    """Decode every picture once; leave out repeated samples, and fingerprint the others.

    Raises:
        ImageError: a picture cannot be decoded.
        LearningError: a box lies outside its picture, or one sample stands under two types.
    """
    digest = hashlib.sha256()
    labels: dict[tuple[str, tuple[int, ...]], Sample] = {}
    kept: list[Sample] = []
    for sample in found.samples:
        picture = images.open(sample.picture)
        box = sample.box
        if box is not None and (box.x1 > picture.width_px or box.y1 > picture.height_px):
            raise LearningError(
                f"the box {box.xyxy} of {sample.picture} lies outside its {picture.width_px}x"
                f"{picture.height_px} pixels; mark it anew"
            )
        earlier = labels.setdefault((picture.sha256, box.xyxy if box else ()), sample)
        if earlier.label != sample.label:
            raise LearningError(
                f"{earlier.picture} and {sample.picture} are the same picture, once of type "
                f"{earlier.label!r} and once of {sample.label!r}; decide which it is"
            )
        if earlier is sample:
            kept.append(sample)
            said = [sample.label, picture.sha256, str(box.xyxy if box else "")]
            if sample.good is not None:
                said.append(images.open(sample.good).sha256)
            digest.update("\0".join((*said, "")).encode(errors="surrogateescape"))
        tick()
    left = len(found.samples) - len(kept)
    notes = (f"{left} repeated crops left out",) if left else ()
    checked = replace(found, samples=tuple(kept), notes=notes)
    return checked, TypeData(
        layout=found.layout,
        crops=checked.counts,
        framing="boxed" if kept[0].box else "whole",
        good_parts=any(sample.good for sample in kept),
        sha256=digest.hexdigest(),
    )


def _read(folder: Path, images: ImageStore) -> tuple[str, list[Sample]]:
    """The layout, and the samples in no order."""
    listed = folder / ANNOTATIONS
    if listed.is_file():
        return "COCO", list(_listed(folder, listed))
    if not _is_marked(folder) and (found := list(_foldered(folder, images))):
        return "a folder for each type", found
    return _of_marked(folder, images)


def _is_marked(folder: Path) -> bool:
    """Whether bad/ and masks/ are those of marked pictures, and not crops of a type called "bad"."""
    bad, masks = folder / "bad", folder / MASKS
    return bad.is_dir() and (
        any(path.is_dir() for path in bad.iterdir())
        or (masks.is_dir() and any(path.is_file() for path in masks.iterdir()))
    )


def _of_marked(folder: Path, images: ImageStore) -> tuple[str, list[Sample]]:
    """The damaged pictures of a marked folder, boxed by their masks; those of no known type are left out."""
    marked = recognised(folder)
    if marked is None:
        return "", []
    found = [
        Sample(one.picture, one.kind, _marked(one.mask, one.picture, images))
        for one in marked.examples
        if one.mask is not None and one.kind is not None
    ]
    if not found:
        raise LearningError(
            f"{folder} ({marked.layout}) tells no types of its damaged pictures: put them in bad/TYPE/, "
            "and their masks in masks/TYPE/"
        )
    return marked.layout, found


def _foldered(folder: Path, images: ImageStore) -> Iterator[Sample]:
    for kind in sorted(path for path in folder.iterdir() if path.is_dir()):
        if kind.name in {MASKS, REFERENCES} or kind.name.startswith("."):
            continue
        for picture in sorted(kind.iterdir()):
            if picture.suffix.lower() not in SUFFIXES or not picture.is_file():
                continue
            mask = _beside(folder / MASKS / kind.name, picture.stem)
            yield Sample(
                picture,
                kind.name,
                _marked(mask, picture, images) if mask else None,
                _beside(folder / REFERENCES / kind.name, picture.stem),
            )


def _marked(mask: Path, picture: Path, images: ImageStore) -> Box:
    """The box around all that a mask marks."""
    drawn, shown = images.open(mask), images.open(picture)
    if (drawn.width_px, drawn.height_px) != (shown.width_px, shown.height_px):
        raise LearningError(
            f"mask {mask} has {drawn.width_px}x{drawn.height_px} px, its picture {shown.width_px}x"
            f"{shown.height_px}: draw it anew at the picture's size"
        )
    inside = Mask.of_picture(images.pixels(drawn)).inside
    if not inside.any():
        raise LearningError(f"mask {mask} is black: mark the defect, or take the mask away")
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return Box(x0=int(columns[0]), y0=int(rows[0]), x1=int(columns[-1]) + 1, y1=int(rows[-1]) + 1)


def _listed(folder: Path, listed: Path) -> Iterator[Sample]:
    """COCO's JSON, as `agent export --format coco` writes it; crowds are left out."""
    try:
        told = json.loads(listed.read_text(encoding="utf-8"))
        names = {int(one["id"]): str(one["name"]).strip() for one in told["categories"]}
        files = {int(one["id"]): str(one["file_name"]) for one in told["images"]}
        marked = [
            (files[int(one["image_id"])], names[int(one["category_id"])], one["bbox"])
            for one in told["annotations"]
            if not one.get("iscrowd")
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise LearningError(
            f"{listed} is not in COCO's format ({type(error).__name__}: {str(error).splitlines()[0][:100]})"
        ) from error
    for name, label, numbers in marked:
        if not label:
            raise LearningError(f"{listed} has a category without a name")
        yield Sample(
            _picture(folder, name, listed), label, _box(numbers, name, listed), _reference(folder, name)
        )


def _picture(folder: Path, name: str, listed: Path) -> Path:
    root = folder.resolve()
    for path in (folder / name, folder / "images" / name):
        if not path.resolve().is_relative_to(root):
            raise LearningError(f"{listed} names {name}, which lies outside {folder}; put the picture in it")
        if path.is_file():
            return path
    raise LearningError(f"{listed} names {name}, which is not in {folder}; put the picture there")


def _reference(folder: Path, name: str) -> Path | None:
    return _beside((folder / REFERENCES / name).parent, Path(name).stem)


def _box(numbers: Any, name: str, listed: Path) -> Box:  # noqa: ANN401 - somebody's JSON
    try:
        x, y, width, height = (float(number) for number in numbers)
        box = clip_box(x, y, x + width, y + height, 10**6, 10**6)
    except (TypeError, ValueError):
        box = None
    if box is None:
        raise LearningError(
            f"{listed} has no proper bbox [x, y, width, height] on {name}: {str(numbers)[:60]}"
        )
    return box


def _beside(folder: Path, stem: str) -> Path | None:
    """A picture of this name, or with _mask behind it."""
    for name in (f"{stem}_mask", stem) if folder.is_dir() else ():
        found: Sequence[Path] = [
            path for end in sorted(SUFFIXES) if (path := folder / f"{name}{end}").is_file()
        ]
        if found:
            return found[0]
    return None
