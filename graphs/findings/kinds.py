"""Kinds of defect that any product may have, by what can be measured of them: names, look, and what follows.

They stand beside a product's documents, and in their place where no document speaks of the product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from knowledge_base.schema import Traits

Aspect: TypeAlias = Literal["names", "look", "effects", "causes", "actions"]
"""What may be said of a defect, and so what an option of a question may speak of."""


@dataclass(frozen=True)
class Expected:
    """How a kind of defect measures on a surface, loosely: set on drawn parts, and widened.

    Pairs are mean and deviation: of the logarithm (base 2) of slenderness, area fraction, strength (grey
    levels either way) and 1 + colour shift; see `tools.appearance.Appearance`. `darker` is how often it is
    darker than the good part, `changes` how often it is added, altered and missing (`tools.types.Change`).
    """

    slender: tuple[float, float]
    area: tuple[float, float]
    strength: tuple[float, float]
    darker: float
    shift: tuple[float, float]
    changes: tuple[float, float, float]


@dataclass(frozen=True)
class Kind:
    """What is generally true of a kind of defect; texts are such as an option may be like."""

    id: str
    traits: Traits
    names: tuple[str, ...]
    looks: tuple[str, ...]
    effects: tuple[str, ...]
    causes: tuple[str, ...]
    expected: Expected | None = None

    def texts(self, aspect: Aspect) -> tuple[str, ...]:
        """What is known of an aspect; what to do about it is told by names and effects alone."""
        match aspect:
            case "names":
                return self.names
            case "look":
                return (*self.looks, *self.names)
            case "effects":
                return self.effects
            case "causes":
                return (*self.causes, *self.names)
            case "actions":
                return (*self.names, *self.effects)


def _traits(**decided: str) -> Traits:
    return Traits.model_validate(
        {"polarity": "either", "shape": "any", "extent": "any", "material": "either", **decided}
    )


OUTLINES: Final[tuple[Kind, ...]] = (
    Kind(
        "gap",
        _traits(material="missing", topology="gap"),
        ("break", "open", "interruption", "cut through", "broken", "disconnected"),
        (
            "It is interrupted: a gap parts it in two.",
            "It is broken through, and two ends face each other.",
        ),
        (
            "What it should carry, hold or conduct is interrupted.",
            "The connection is lost, and nothing can pass any more.",
            "It falls apart or no longer works.",
        ),
        ("It was cut or torn through.", "Material was removed over the whole width."),
    ),
    Kind(
        "bridge",
        _traits(material="added", topology="bridge"),
        ("bridge", "short", "joined together", "stuck together", "touching"),
        (
            "Extra material joins two parts that should be apart.",
            "Two neighbouring features touch or are connected by a bridge.",
        ),
        (
            "Two parts are joined or connected that must be separate.",
            "What must be kept apart is in contact: a short circuit.",
        ),
        ("Material was left between two neighbours.", "Excess material ran together."),
    ),
    Kind(
        "bite",
        _traits(material="missing", topology="bite"),
        ("notch", "nick", "chip", "bite out of the edge", "edge breakage", "chipped edge"),
        (
            "A piece is missing from the edge.",
            "A notch or bite cuts into the outline, and the rest remains whole.",
        ),
        (
            "The cross-section is reduced: it is thinner there, weaker and carries less.",
            "It is narrower there, and load or current concentrates at the neck.",
        ),
        ("The edge was hit or chipped.", "Too much was taken off at the edge."),
    ),
    Kind(
        "bump",
        _traits(material="added", topology="bump"),
        ("protrusion", "spur", "burr", "flash", "bulge", "excess at the edge"),
        (
            "Extra material sticks out of the edge.",
            "A spike or bulge protrudes from the outline into the free space.",
        ),
        (
            "The distance to the neighbour is reduced: there is less clearance.",
            "It sticks out and gets in the way of neighbouring parts.",
        ),
        ("Excess material was not removed at the edge.", "Material was pressed out at the edge."),
    ),
    Kind(
        "hole",
        _traits(material="missing", topology="hole"),
        ("hole", "pinhole", "void", "puncture", "pit"),
        (
            "A small hole lies inside the material, surrounded by it.",
            "Material is missing in the middle of an area.",
        ),
        (
            "The material is weaker around the opening.",
            "Liquid, air or light gets in or through at the open place.",
        ),
        ("A bubble or a particle left an opening.", "It was pierced."),
    ),
    Kind(
        "island",
        _traits(material="added", topology="island"),
        ("extra material", "residue", "foreign particle", "spot", "contamination", "excess", "splash"),
        (
            "An isolated piece of material lies where there should be nothing.",
            "A separate spot, joined to nothing around it.",
        ),
        (
            "Stray material may come loose and pollute its surroundings.",
            "It may touch or influence what is beside it without meaning to.",
        ),
        ("Foreign material was left or fell on the surface.", "Material was not fully removed."),
    ),
)
"""What a defect does to the outline of a two-tone pattern; see `tools.topology`."""

SURFACES: Final[tuple[Kind, ...]] = (
    Kind(
        "line",
        _traits(shape="elongated"),
        ("scratch", "crack", "cut", "tear", "loose thread", "fold"),
        ("A long thin line runs over the surface.", "A narrow crack, cut or scratch."),
        (
            "The surface is no longer protected, and a crack may start or grow there.",
            "It weakens the part and spoils its looks.",
        ),
        ("A sharp object was dragged over the surface.", "Too much stress opened it."),
        Expected(
            slender=(2.2, 0.7),
            area=(-10.5, 2.5),
            strength=(6.0, 0.8),
            darker=0.5,
            shift=(1.5, 1.5),
            changes=(0.6, 0.35, 0.05),
        ),
    ),
    Kind(
        "point",
        _traits(shape="compact", extent="small"),
        ("hole", "pinhole", "poke", "pit", "puncture", "small dent"),
        ("A tiny hole or pit in the surface.", "A small dark point where the surface is pierced."),
        ("It is no longer tight: liquid, air or dirt gets in.", "The material is pierced and weaker there."),
        ("It was pierced by something pointed.", "A bubble of gas left an opening."),
        Expected(
            slender=(0.0, 0.6),
            area=(-13.0, 2.5),
            strength=(6.6, 0.6),
            darker=0.85,
            shift=(1.5, 1.5),
            changes=(0.6, 0.35, 0.05),
        ),
    ),
    Kind(
        "particle",
        _traits(material="added"),
        ("foreign particle", "contamination", "residue", "debris", "fibre", "extra material"),
        (
            "A foreign speck, crumb or fibre lies on the surface.",
            "Something lies there that does not belong to it.",
        ),
        ("It contaminates the product.", "It may come loose and get into the way of something."),
        ("Dirt or a fragment fell on it.", "It was not cleaned."),
        Expected(
            slender=(0.9, 1.1),
            area=(-11.0, 2.5),
            strength=(6.3, 0.7),
            darker=0.6,
            shift=(2.0, 1.8),
            changes=(0.75, 0.2, 0.05),
        ),
    ),
    Kind(
        "stain",
        _traits(shape="compact"),
        ("stain", "discoloration", "color defect", "spot of oil or glue", "faded", "burn"),
        ("A patch of another colour, with the surface still visible below.", "A discoloured or dirty area."),
        ("Its look is spoilt, and customers reject it.", "It is only a matter of appearance."),
        ("Liquid was spilt on it.", "Heat or chemicals changed its colour."),
        Expected(
            slender=(0.4, 0.7),
            area=(-9.0, 2.5),
            strength=(5.3, 0.6),
            darker=0.7,
            shift=(3.0, 1.2),
            changes=(0.45, 0.45, 0.1),
        ),
    ),
    Kind(
        "absence",
        _traits(material="missing"),
        ("missing part", "missing component", "absent", "misplaced", "missing print", "empty place"),
        ("A part or feature that belongs there is missing.", "Something is absent or not in its place."),
        (
            "It is incomplete and cannot do what it is for.",
            "A function or a piece of information is missing.",
        ),
        ("It was not mounted, made or printed.", "It fell off or was put elsewhere."),
        Expected(
            slender=(0.8, 1.0),
            area=(-8.0, 3.0),
            strength=(6.0, 1.0),
            darker=0.5,
            shift=(2.0, 1.8),
            changes=(0.05, 0.35, 0.6),
        ),
    ),
    Kind(
        "break",
        _traits(material="missing"),
        ("broken", "breakage", "chipped edge", "damaged", "deformed", "bent", "squeezed"),
        ("A piece is broken off, with a rough face.", "Its edge or outline is broken, bent or crushed."),
        ("It loses its strength, or does not fit or seal any more.", "Sharp edges may hurt someone."),
        ("It was hit, dropped or pressed.", "It was handled with too much force."),
        Expected(
            slender=(0.6, 0.7),
            area=(-9.0, 2.5),
            strength=(5.8, 0.7),
            darker=0.65,
            shift=(1.5, 1.5),
            changes=(0.15, 0.55, 0.3),
        ),
    ),
)
"""What a defect looks like on a surface that is no pattern of two tones."""
