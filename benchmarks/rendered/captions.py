"""What would be written under pictures of products, as loosely as people write."""

from __future__ import annotations

from typing import Final

from benchmarks.rendered.scene import Product
from benchmarks.rendered.shapes import SHAPES
from benchmarks.rendered.surfaces import Rng

GOOD: Final = ("flawless", "perfect", "unblemished", "intact", "good")
DAMAGED: Final = ("damaged", "broken", "defective", "faulty")

ADJECTIVES: Final = {
    "bent": ("bent", "deformed"),
    "contamination": ("contaminated", "dirty"),
    "crack": ("cracked", "fractured"),
    "dent": ("dented",),
    "hole": ("pierced", "perforated"),
    "missing part": ("incomplete", "chipped"),
    "scratch": ("scratched",),
    "stain": ("stained", "discoloured"),
}
"""Of each flaw."""

NOUNS: Final = {
    "bent": "a bent end",
    "contamination": "contamination",
    "crack": "a crack",
    "dent": "a dent",
    "hole": "a hole",
    "missing part": "a missing part",
    "scratch": "a scratch",
    "stain": "a stain",
}

_WRONG: Final = ("defect", "flaw", "damage", "anomaly")
"""What there is one of, or none, without saying which."""

TEMPLATES: Final = (
    "a photo of {}.",
    "a close-up photo of {}.",
    "{}.",
    "a picture of {} for visual inspection.",
    "a photo of {} on a bench.",
)

_SILENT: Final = 0.05
"""Share of captions that do not say in what state the part is."""
_VAGUE: Final = 0.1
"""Share of captions of damaged parts that say so without saying how."""


def caption(product: Product, kind: str | None, rng: Rng, *, whole: bool = False) -> str:
    """A caption; unless `whole` it may leave out surface, colour, and the state of the part."""
    says = 1.0 if whole else rng.random()
    state, after = "", ""
    if says >= _SILENT and kind is None:
        state = str(rng.choice(GOOD)) if rng.random() < 0.7 else ""
        after = "" if state else f" without {rng.choice(_WRONG)}"
    elif says >= _SILENT + _VAGUE and kind is not None:
        state = str(rng.choice(ADJECTIVES[kind])) if rng.random() < 0.5 else ""
        after = "" if state else f" with {_named(kind, rng)}"
    elif says >= _SILENT:
        state = str(rng.choice(DAMAGED)) if rng.random() < 0.7 else ""
        wrong = str(rng.choice(_WRONG))
        after = "" if state else f" with {wrong if wrong == 'damage' else with_article(wrong)}"
    colour = product.colour if whole or rng.random() < 0.85 else ""
    before, surface = "", ""
    if whole or rng.random() < 0.8:
        if rng.random() < 0.5:
            before = product.surface
        else:
            surface = f" with a {product.surface} surface" if not after else f" of {product.surface} finish"
    words = " ".join(word for word in (state, colour, before, product.shape) if word)
    return str(rng.choice(TEMPLATES)).format(f"{with_article(words)}{surface}{after}")


def state_caption(kind: str | None, rng: Rng) -> str:
    """A caption of nothing but a flaw of a type, or with None, of there being none."""
    if kind is None:
        return str(rng.choice(TEMPLATES)).format(with_article(f"{rng.choice(GOOD)} object"))
    if rng.random() < 0.5:
        return str(rng.choice(TEMPLATES)).format(_named(kind, rng))
    return str(rng.choice(TEMPLATES)).format(with_article(f"{rng.choice(ADJECTIVES[kind])} object"))


def look_caption(what: str, rng: Rng) -> str:
    """A caption of nothing but a shape, a surface or a colour, by its name."""
    words = what if what in SHAPES else f"{what} object"
    return str(rng.choice(TEMPLATES)).format(with_article(words))


def _named(kind: str, rng: Rng) -> str:
    """A flaw by its noun."""
    return NOUNS[kind] if rng.random() < 0.7 else with_article(f"{kind} anomaly")


def with_article(words: str) -> str:
    """The words with "a" or "an" before them."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
