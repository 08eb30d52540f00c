"""Which passages a search may return."""

from __future__ import annotations

from dataclasses import dataclass

from knowledge_base.schema import Library, Section


@dataclass(frozen=True)
class Filter:
    """Keeps a passage if every given set holds its value. None does not filter, an empty set keeps nothing.

    `products` may hold None: passages that are not about one product.
    """

    products: frozenset[str | None] | None = None
    sections: frozenset[Section] | None = None
    libraries: frozenset[Library] | None = None

    @property
    def keeps_nothing(self) -> bool:
        """Whether no passage can pass."""
        return any(values is not None and not values for values in self._sets)

    @property
    def keeps_all(self) -> bool:
        """Whether every passage passes."""
        return all(values is None for values in self._sets)

    @property
    def _sets(self) -> tuple[frozenset[str | None] | frozenset[Section] | frozenset[Library] | None, ...]:
        return (self.products, self.sections, self.libraries)
