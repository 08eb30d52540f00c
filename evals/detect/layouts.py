"""Find the images of a data set by how its folders are laid out: MVTec AD, MPDD, VisA, Real-IAD, good/bad."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evals.detect.cases import GOOD, LAYOUTS, Category, DetectCase, DetectionSet, Layout
from evals.detect.listed import read_real_iad, read_visa_table
from evals.errors import DatasetInvalid

IMAGE_SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

MASK_SUFFIXES: Final = frozenset({".bmp", ".png", ".tif", ".tiff"})
"""Of masks: what JPEG makes of a black picture is not black."""

SHAPES: Final[Mapping[Layout, str]] = {
    "mvtec": "CATEGORY/train/good, CATEGORY/test/KIND and CATEGORY/ground_truth/KIND",
    "mpdd": "as mvtec",
    "visa": "split_csv/1cls.csv, or CATEGORY/Data/Images/Normal and Anomaly",
    "realiad": "realiad_jsons/CATEGORY.json and realiad_1024/CATEGORY",
    "plain": "good and bad, with masks and train if there are any, in the folder or in one for each category",
}
"""What is looked for, for messages."""


def read_detection_set(root: Path, layout: Layout | None = None) -> DetectionSet:
    """Find the images of a data set; opens none of them.

    Args:
        root: its folder, of one category or of several.
        layout: how it is laid out; None: found out.

    Raises:
        DatasetInvalid: it is laid out otherwise, a table in it is damaged or names files that are not there,
            or a category has nothing to test.
    """
    root = root.absolute()
    if not root.is_dir():
        raise DatasetInvalid(f"there is no folder {root}; check --data")
    for name in (layout,) if layout else LAYOUTS:
        try:
            categories = tuple(_READERS[name](root))
        except OSError as error:
            raise DatasetInvalid(f"{error.filename or root} cannot be read ({error.strerror})") from error
        if categories:
            return _checked(DetectionSet(root, name, categories))
    if layout:
        raise DatasetInvalid(f"{root} is not laid out as {layout}: {SHAPES[layout]}")
    told = "; ".join(f"{name}: {shape}" for name, shape in SHAPES.items())
    raise DatasetInvalid(f"{root} is laid out in no known way ({told})")


def _checked(found: DetectionSet) -> DetectionSet:
    names: set[str] = set()
    for category in found.categories:
        if not category.cases:
            raise DatasetInvalid(f"category {category.name} of {found.root} has no images to test")
        for case in category.cases:
            if case.name in names:
                raise DatasetInvalid(f"{found.root} lists {case.name} twice")
            if any("\ud800" <= letter <= "\udfff" for letter in case.name):
                raise DatasetInvalid(f"file name {case.name!r} is not valid UTF-8; rename the file")
            names.add(case.name)
    return found


@dataclass(frozen=True)
class _Folder:
    """The images of one category, found by looking into its folders."""

    root: Path
    category: str

    def cases(self, images: Path, kind: str, masks: Path | None) -> Iterator[DetectCase]:
        marked = _by_stem(masks) if masks else {}
        for path in _pictures(images):
            mask = marked.get(f"{path.stem}_mask", marked.get(path.stem))
            yield DetectCase(path.relative_to(self.root).as_posix(), path, self.category, kind, mask)


def _mvtec(root: Path) -> Iterator[Category]:
    """MVTec AD (Bergmann et al., CVPR 2019) and MPDD: split by folders."""
    for home in _homes(root, "test"):
        found = _Folder(root, home.name)
        cases = [
            case
            for kind in _folders(home / "test")
            for case in found.cases(
                kind, kind.name, None if kind.name == GOOD else home / "ground_truth" / kind.name
            )
        ]
        if cases or (home / "train").is_dir():
            yield Category(home.name, _pictures(home / "train" / GOOD), tuple(cases))


def _visa(root: Path) -> Iterator[Category]:
    """VisA (Zou et al., ECCV 2022): by its table, or by its folders, which say nothing of a split."""
    table = root / "split_csv" / "1cls.csv"
    if table.is_file():
        yield from read_visa_table(table, root)
        return
    for home in _homes(root, "Data/Images/Normal"):
        found, images = _Folder(root, home.name), home / "Data" / "Images"
        masks = home / "Data" / "Masks" / "Anomaly"
        cases = (
            *found.cases(images / "Normal", GOOD, None),
            *found.cases(images / "Anomaly", "anomaly", masks),
        )
        yield Category(home.name, (), cases, divided=False)


def _plain(root: Path) -> Iterator[Category]:
    """Folders `good` and `bad`; in `bad` and `masks` there may be a folder for each kind of defect."""
    for home in _homes(root, "good"):
        if not (home / "bad").is_dir():
            continue
        found, masks = _Folder(root, home.name), home / "masks"
        cases = [*found.cases(home / "good", GOOD, None), *found.cases(home / "bad", "bad", masks)]
        for kind in _folders(home / "bad"):
            name = "bad" if kind.name == GOOD else kind.name
            cases += found.cases(kind, name, masks / kind.name)
        yield Category(home.name, _pictures(home / "train"), tuple(cases), divided=(home / "train").is_dir())


_READERS: Final[Mapping[Layout, Callable[[Path], Iterator[Category]]]] = {
    "mvtec": _mvtec,
    "mpdd": _mvtec,
    "visa": _visa,
    "realiad": read_real_iad,
    "plain": _plain,
}


def _homes(root: Path, inside: str) -> list[Path]:
    """The folders of categories: those that have a folder `inside`; the root alone if it has one."""
    return [
        home for home in ((root,) if (root / inside).is_dir() else _folders(root)) if (home / inside).is_dir()
    ]


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _pictures(folder: Path) -> tuple[Path, ...]:
    """Pictures right in a folder, by name; none if there is no such folder."""
    return _files(folder, IMAGE_SUFFIXES)


def _by_stem(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in _files(folder, MASK_SUFFIXES)}


def _files(folder: Path, suffixes: frozenset[str]) -> tuple[Path, ...]:
    if not folder.is_dir():
        return ()
    found = (path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    return tuple(sorted(path for path in found if not path.name.startswith(".") and path.is_file()))
