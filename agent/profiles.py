"""Products on record: good images of each, kept in the data folder, so that `--product` alone is enough."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from agent.errors import UsageError
from agent.libraries import OpenLibrary
from graphs.report import Fault
from knowledge_base.templates import (
    Choice,
    Embedder,
    NewTemplate,
    Recognition,
    Seen,
    StoredTemplate,
    TemplateChoice,
    TemplateStore,
)
from tools.atomic import write_atomically
from tools.errors import ImageError, ToolError
from tools.image import ImageStore
from tools.types import ImageRef

PICTURES: Final = "images"

AT_A_TIME: Final = 256
"""Images looked at before those worth keeping are put on record, where they survive an interruption."""

MOST_LEARNT: Final = 1000
"""Images of a product that experts learn from, the first that came; the nearest is sought among all."""

MOST_LEARNT_PX: Final = 400_000_000
"""Pixels of these images together: they are held in memory while an expert learns."""


@dataclass(frozen=True)
class Left:
    """An image that was not put on record, and why."""

    file: Path
    why: str


@dataclass
class Addition:
    """What came of adding images to a product.

    Attributes:
        product: its name on record.
        before, added: how many images were on record, and how many are new.
        known, fresh: those that experts learn from: which they know already, and the new ones.
        repeated: how many files hold exactly the pixels of an image on record.
        same_picture: images on record already, saved again in another size or encoding.
        refused: images that look like another product.
        unreadable: files that are no image.
        note: what could not be told by the pictures.
    """

    product: str
    before: int = 0
    added: int = 0
    known: tuple[ImageRef, ...] = ()
    fresh: tuple[ImageRef, ...] = ()
    repeated: int = 0
    same_picture: list[Left] = field(default_factory=list)
    refused: list[Left] = field(default_factory=list)
    unreadable: list[Left] = field(default_factory=list)
    note: str = ""


class Profiles:
    """The products on record. Safe to use from several threads and processes.

    Args:
        root: folder that holds the library of good images, and a folder for each product.
        images: decodes and checks what is added.
        embedder: turns images into vectors.
    """

    def __init__(self, root: Path, images: ImageStore, embedder: Embedder) -> None:
        self._root = root
        self._images = images
        self._store = TemplateStore(
            root, embedder, lambda path: images.pixels(images.open(path)), unreadable=(ToolError,)
        )

    def counts(self) -> dict[str, int]:
        """How many good images each product has, in alphabetical order of their names."""
        return self._store.products()

    def sizes_of(self, product: str) -> Counter[str]:
        """How many good images of a product there are of each size, such as "640x480"."""
        return self._store.sizes_of(slug(product))

    def images_of(self, product: str) -> tuple[ImageRef, ...]:
        """Good images that experts learn from, in the order in which they came; none if it is not on record.

        Raises:
            KnowledgeError: the library is damaged.
        """
        left_px = MOST_LEARNT_PX
        learnt: list[ImageRef] = []
        for image in self._store.images_of(slug(product), MOST_LEARNT):
            left_px -= image.width_px * image.height_px
            if left_px < 0 and learnt:
                break
            learnt.append(_as_ref(image))
        return tuple(learnt)

    def folder(self, product: str) -> Path:
        """Where the copies of a product's good images lie."""
        return self._root / slug(product) / PICTURES

    def open(self, product: str) -> OpenLibrary | None:
        """The good images of a product for an inspection; None if it is not on record.

        Raises:
            KnowledgeError: the library is damaged.
        """
        name = slug(product)
        learnt = self.images_of(name)
        if not learnt:
            return None
        return OpenLibrary(self._store.of(name), profile=learnt, state=self._store.state(name))

    def faults(self, product: str, image: ImageRef, templates: Sequence[ImageRef] = ()) -> tuple[Fault, ...]:
        """Names a query, and good images given by hand, that look like another product on record.

        Raises:
            KnowledgeError: the library is damaged.
            ImageError: an image cannot be read.
        """
        given = (("the image", image), *((f"good image {Path(ref.path).name}", ref) for ref in templates))
        return tuple(
            Fault(step="intake", kind="other_product", message=f"{what} {found}")
            for what, ref in given
            if (found := self._store.mismatch(self._images.pixels(ref), slug(product)))
        )

    def recognise(self, image: ImageRef) -> Recognition | None:
        """The product on record that an image shows; None if that cannot be told.

        Raises:
            KnowledgeError: the library is damaged.
            ImageError: the image cannot be read.
        """
        return self._store.recognise(self._images.pixels(image))

    def choose(self, image: ImageRef, product: str | None, limit: int, how: TemplateChoice) -> Choice:
        """Good images for a query, of one product or of all.

        Raises:
            KnowledgeError: there is none on record, or the library is damaged.
            ImageError: the image cannot be read.
        """
        return self._store.choose(self._images.pixels(image), limit, how, slug(product) if product else None)

    def why_untold(self, product: str) -> str | None:
        """Why its images cannot be told from those of other products; None if they can, or if it is alone."""
        return self._store.why_untold(slug(product))

    def add(
        self,
        product: str,
        files: Sequence[Path],
        *,
        anyway: bool = False,
        advance: Callable[[], None] = lambda: None,
    ) -> Addition:
        """Copy good images into the record of a product, each picture once and none of another product.

        Args:
            product: its name.
            files: pictures.
            anyway: add also what looks like another product.
            advance: called after each file.

        Raises:
            UsageError: none of the files can be added, or the product's name holds no letter.
            KnowledgeError: the library is damaged.
            OSError: the data folder cannot be written.
        """
        name = slug(product)
        addition = Addition(name, before=self.counts().get(name, 0), known=self.images_of(name))
        for start in range(0, len(files), AT_A_TIME):
            with self._store.adding():
                self._add_some(addition, files[start : start + AT_A_TIME], anyway, advance)
        if addition.added:
            with self._store.adding():
                self._store.measure()
        elif not addition.before:
            left = (*addition.unreadable, *addition.refused, *addition.same_picture)
            why = left[0].why if left else "no file was given"
            raise UsageError(f"no good image of {product!r} could be added: {why}")
        addition.fresh = self.images_of(name)[len(addition.known) :]
        return addition

    def _add_some(
        self, addition: Addition, files: Sequence[Path], anyway: bool, advance: Callable[[], None]
    ) -> None:
        hashes: set[str] = set()
        refs: list[tuple[Path, ImageRef]] = []
        batch: list[Seen] = []
        for file in files:
            advance()
            try:
                ref = self._images.open(file)
                pixels = self._images.pixels(ref)
            except ImageError as error:
                addition.unreadable.append(Left(file, str(error)))
                continue
            if ref.sha256 in hashes or self._store.holds(addition.product, ref.sha256):
                addition.repeated += 1
                continue
            hashes.add(ref.sha256)
            refs.append((file, ref))
            batch.append(self._store.seen(file.name, pixels, partial(self._images.pixels, ref)))
        fates, note = self._store.sift(addition.product, batch, refuse_others=not anyway)
        addition.note = addition.note or note
        new = []
        for (file, ref), seen, sifted in zip(refs, batch, fates, strict=True):
            if sifted.fate == "same_picture":
                addition.same_picture.append(Left(file, sifted.reason))
            elif sifted.fate == "other_product":
                addition.refused.append(Left(file, sifted.reason))
            else:
                new.append(self._kept(addition.product, file, ref, seen))
        self._store.add(addition.product, new)
        addition.added += len(new)

    def _kept(self, product: str, file: Path, ref: ImageRef, seen: Seen) -> NewTemplate:
        """Copy a file to where it stays."""
        path = f"{product}/{PICTURES}/{ref.sha256[:16]}{file.suffix.lower()}"
        write_atomically(self._root / path, file.read_bytes())
        return NewTemplate(
            path, ref.sha256, ref.width_px, ref.height_px, ref.notes, seen.vector, seen.fingerprint
        )

    def remove(self, product: str) -> int:
        """Forget a product; returns how many images it had.

        Raises:
            UsageError: it is not on record.
            KnowledgeError: the library is damaged.
        """
        with self._store.adding():  # so that nobody adds images between the two steps
            count = len(self._store.remove(slug(product)))
            if count:
                shutil.rmtree(
                    self._root / slug(product), ignore_errors=True
                )  # they are off the record already
        if not count:
            known = ", ".join(self.counts()) or "none"
            raise UsageError(f"no product {product!r} on record; on record: {known}")
        return count


def _as_ref(image: StoredTemplate) -> ImageRef:
    return ImageRef(
        path=str(image.path),
        sha256=image.sha256,
        width_px=image.width_px,
        height_px=image.height_px,
        notes=image.notes,
    )


def slug(product: str) -> str:
    """The product's name as a folder name: "Bare PCB" and "bare_pcb" are one product.

    Raises:
        UsageError: no letter or digit is in it.
    """
    found = "_".join(re.findall(r"\w+", product.casefold().replace("_", " ")))
    if not found:
        raise UsageError(f"product name {product!r} holds no letter; choose another")
    return found[:100]
