"""Products on record: good images of each, kept in the data folder, so that `--product` alone is enough."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from agent.errors import UsageError
from graphs.report import Fault
from tools.atomic import write_atomically
from tools.errors import ImageError
from tools.image import ImageStore
from tools.types import ImageRef, Value

RECORD = "profile.json"
PICTURES = "images"


class Record(Value):
    """What the record of one product says; `images` are file names, in the order in which they came."""

    format: int = 1
    product: str
    images: tuple[ImageRef, ...] = ()


@dataclass(frozen=True)
class Addition:
    """What came of adding images to a product: those on record before, the new ones, and the rest."""

    product: str
    known: tuple[ImageRef, ...]
    added: tuple[ImageRef, ...]
    repeated: int
    faults: tuple[Fault, ...]


class Profiles:
    """The products on record. Several processes may add at a time.

    Args:
        root: folder that holds a folder for each product.
        images: decodes and checks what is added.
    """

    def __init__(self, root: Path, images: ImageStore) -> None:
        self._root = root
        self._images = images

    def names(self) -> list[str]:
        """Products on record, in alphabetical order."""
        return sorted(path.parent.name for path in self._root.glob(f"*/{RECORD}"))

    def images_of(self, product: str) -> tuple[ImageRef, ...]:
        """Good images of a product, in the order in which they came; none for a product not on record.

        Raises:
            UsageError: the record is damaged.
        """
        file = self._root / slug(product) / RECORD
        try:
            record = Record.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return ()
        except (OSError, ValidationError) as error:
            raise UsageError(f"{file} is damaged; delete {file.parent} and add the images again") from error
        folder = self.folder(product)
        return tuple(_with_path(image, str(folder / Path(image.path).name)) for image in record.images)

    def folder(self, product: str) -> Path:
        """Where the good images of a product are kept."""
        return self._root / slug(product) / PICTURES

    def add(self, product: str, files: Sequence[Path]) -> Addition:
        """Copy good images into the record of a product; one that is there already is not copied again.

        Raises:
            UsageError: none of the files is an image that can be used, or the product's name holds no letter.
            OSError: the data folder cannot be written.
        """
        folder = self.folder(product)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / ".lock"):
            known = self.images_of(product)
            seen = {image.sha256 for image in known}
            added: list[ImageRef] = []
            faults: list[Fault] = []
            repeated = 0
            for file in files:
                try:
                    image = self._images.open(file)
                except ImageError as error:
                    faults.append(Fault(step="add", kind=error.kind, message=str(error)))
                    continue
                if image.sha256 in seen:
                    repeated += 1
                    continue
                seen.add(image.sha256)
                kept = folder / f"{image.sha256[:16]}{file.suffix.lower()}"
                write_atomically(kept, file.read_bytes())
                added.append(_with_path(image, str(kept)))
            if not known and not added:
                why = faults[0].message if faults else "no file was given"
                raise UsageError(f"no good image of {product!r} could be added: {why}")
            named = tuple(_with_path(image, Path(image.path).name) for image in (*known, *added))
            record = Record(product=product, images=named)
            write_atomically(folder.parent / RECORD, record.model_dump_json(indent=1).encode())
        return Addition(slug(product), known, tuple(added), repeated, tuple(faults))

    def remove(self, product: str) -> int:
        """Forget a product; returns how many images it had.

        Raises:
            UsageError: it is not on record.
        """
        folder = self._root / slug(product)
        if not (folder / RECORD).is_file():
            known = ", ".join(self.names()) or "none"
            raise UsageError(f"no product {product!r} on record; on record: {known}")
        count = len(list((folder / PICTURES).iterdir()))
        (folder / RECORD).unlink()  # first, so that a half-removed product is none
        shutil.rmtree(folder)
        return count


def _with_path(image: ImageRef, path: str) -> ImageRef:
    return image.model_copy(update={"path": path})


def slug(product: str) -> str:
    """The product's name as a folder name: "Bare PCB" and "bare_pcb" are one product.

    Raises:
        UsageError: no letter or digit is in it.
    """
    found = "_".join(re.findall(r"\w+", product.casefold().replace("_", " ")))
    if not found:
        raise UsageError(f"product name {product!r} holds no letter; choose another")
    return found[:100]
