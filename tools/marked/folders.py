"""Layouts in which the folders say what is good, what is damaged, and how."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tools.errors import ExpertError
from tools.marked.example import SUFFIXES, Example, kind_of


def mvtec(folder: Path) -> Iterator[Example]:
    """MVTec AD's layout: CLASS/test/good, CLASS/test/TYPE and its masks in CLASS/ground_truth/TYPE.

    So are laid out, by their own readmes and loaders: MVTec AD (Bergmann et al. 2019, masks NAME_mask.png),
    MPDD (Jezek et al. 2021, the same), MAD-Sim and MAD-Real (Zhou et al. 2023, github.com/EricLee0224/PAD;
    types Burrs, Missing, Stains; masks NAME_mask.png, and NAME.png of MAD-Real), and what the script of VisA
    (github.com/amazon-science/spot-diff, prepare_data.py --split-type 1cls) writes, which calls every type
    "bad". Masks of good parts, which MAD has, are left alone.
    """
    for product in (folder, *_folders(folder)):
        for kind in _folders(product / "test"):
            if kind.name == "good":
                yield from _good(kind)
            else:
                yield from _damaged(kind, product / "ground_truth" / kind.name, kind_of(kind.name))


def plain(folder: Path) -> Iterator[Example]:
    """good/, bad/ and masks/, of one product or in a folder for each; types are folders in bad/ and masks/.

    This is also what `agent simulate` writes.
    """
    for product in (folder, *_folders(folder)):
        if not (product / "bad").is_dir():
            continue
        yield from _good(product / "good")
        yield from _damaged(product / "bad", product / "masks", None)
        for kind in _folders(product / "bad"):
            yield from _damaged(kind, product / "masks" / kind.name, kind_of(kind.name))


def _good(folder: Path) -> Iterator[Example]:
    yield from (Example(picture) for picture in _pictures(folder))


def _damaged(folder: Path, masks: Path, kind: str | None) -> Iterator[Example]:
    yield from (Example(picture, _mask_of(picture, masks), kind) for picture in _pictures(folder))


def _folders(folder: Path) -> list[Path]:
    """Those in a folder, by name; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _pictures(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path


def _mask_of(picture: Path, masks: Path) -> Path:
    names = (f"{picture.stem}_mask", picture.stem)
    for name in names:
        for suffix in (".png", ".bmp", ".tif", ".tiff", ".PNG"):
            if (path := masks / f"{name}{suffix}").is_file():
                return path
    raise ExpertError(
        f"the damaged picture {picture} has no mask: expected {masks / (names[0] + '.png')}, or without _mask"
    )
