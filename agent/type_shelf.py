"""Learnt types on record: of a product, or those that a setting names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final

from agent.profiles import slug
from graphs.findings.crop_features import FeatureMaker
from graphs.findings.learnt import LearntTypes
from tools.defect_types.card import TYPES_NAME
from tools.defect_types.files import read_types

_FOLDER: Final = "types"


def types_folder(data_dir: Path, product: str) -> Path:
    """Where the types of a product lie.

    Raises:
        UsageError: the name holds no letter.
    """
    return data_dir / "products" / slug(product) / _FOLDER


class TypeShelf:
    """Opens learnt types, each file once as long as it stays the same. Safe to use from several threads.

    Args:
        data_dir: holds the products on record.
        named: a file that serves whatever the product; None: the product's own.
        maker: opens what features are made with, at first use.
    """

    def __init__(self, data_dir: Path, named: Path | None, maker: Callable[[], FeatureMaker]) -> None:
        self._data_dir = data_dir
        self._named = named
        self._maker = maker
        self._open: dict[str, LearntTypes] = {}
        self._lock = Lock()

    def state(self, product: str | None) -> str:
        """Changes whenever other types would be used; empty where there are none."""
        path = self._path(product)
        return hashlib.sha256(path.read_bytes()).hexdigest() if path and path.is_file() else ""

    def of(self, product: str | None) -> LearntTypes | None:
        """The types for a product; None where none were learnt.

        Raises:
            ExpertUnavailable: the file is missing or cannot be used.
        """
        path = self._path(product)
        if path is None:
            return None
        with self._lock:
            state = self.state(product)
            if state not in self._open:
                name = self._named.stem if self._named else slug(product or "")
                self._open[state] = LearntTypes(name, read_types(path), self._maker())
            return self._open[state]

    def _path(self, product: str | None) -> Path | None:
        if self._named is not None:
            return self._named
        if product is None:
            return None
        path = types_folder(self._data_dir, product) / TYPES_NAME
        return path if path.is_file() else None
