"""Directions of texts, each computed once: options of a data set and documents come again and again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import numpy as np

from graphs.questions.options import Encode, Vectors

MOST_KEPT: Final = 20_000
"""Texts whose directions are kept: some 30 MB."""


class KeptDirections:
    """An `Encode` that keeps what it has encoded. Safe to use from several threads.

    Args:
        encode: gives texts directions.
    """

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._kept: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Directions of texts, one row each."""
        with self._lock:
            wanted = [text for text in dict.fromkeys(texts) if text not in self._kept]
            if wanted:
                self._kept.update(zip(wanted, self._encode(wanted), strict=True))
            rows = np.stack([self._kept[text] for text in texts])
            for text in texts:
                self._kept.move_to_end(text)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return rows
