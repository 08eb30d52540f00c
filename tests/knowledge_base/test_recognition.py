"""Which product a name means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.recognition import Names

NAMES = Names(
    [
        ("bottle", "bottle"),
        ("Bare printed circuit board", "bare_pcb"),
        ("PCB", "bare_pcb"),
        ("screw", "screw"),
        ("screw_bag", "screw_bag"),
        ("capsule", "capsule"),
        ("gelatin capsule", "capsule"),
        ("capsules", "capsules"),
        ("battery", "battery"),
        ("brush", "brush"),
        ("glass", "glass"),
    ]
)


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("bottle", "bottle"),
        ("BOTTLE", "bottle"),
        ("Bottles", "bottle"),
        ("green bottle", "bottle"),
        ("bare PCB rev. B", "bare_pcb"),
        ("pcb 4711-02", "bare_pcb"),
        ("PCBs", "bare_pcb"),
        ("printed-circuit board", None),
        ("bare printed-circuit boards", "bare_pcb"),
        ("screw bag", "screw_bag"),
        ("screw-bags", "screw_bag"),
        ("wood screw", "screw"),
        ("capsule", "capsule"),
        ("capsules", "capsules"),
        ("hard capsules", "capsules"),
        ("gelatin capsules", "capsule"),
        ("batteries", "battery"),
        ("brushes", "brush"),
        ("glasses", "glass"),
    ],
)
def test_names_plurals_and_narrower_names(text: str, product: str | None) -> None:
    assert NAMES.product(text) == product


@pytest.mark.parametrize(
    "text",
    [
        "bottle cap",
        "screw driver bit",
        "gasket",
        "",
        "  ",
        "?",
        "rev. 2",
        "b",
        "bottle\x00x",
        "bot tle cap 2",
    ],
)
def test_other_things_are_nobodys(text: str) -> None:
    assert NAMES.product(text) is None


@given(st.text(), st.sampled_from(["bottle", "PCB", "brush"]))
def test_words_before_a_name_narrow_it(before: str, name: str) -> None:
    if before.isprintable():
        assert NAMES.product(f"{before} {name}") is not None
    else:
        NAMES.product(f"{before} {name}")


@pytest.mark.parametrize(
    ("text", "products"),
    [
        ("why does the battery leak", {"battery"}),
        ("one washer too many in these screw bags", {"screw_bag"}),
        ("the screw is too long for the screw bag", {"screw", "screw_bag"}),
        ("rust on the PCB, rev. B", {"bare_pcb"}),
        ("is the bottleneck the oven?", set()),
        ("gelatin capsules stick together", {"capsule"}),
        ("", set()),
    ],
)
def test_products_are_noticed_inside_a_sentence(text: str, products: set[str]) -> None:
    assert NAMES.within(text) == products


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert NAMES.within(text) <= {
        "bottle",
        "bare_pcb",
        "screw",
        "screw_bag",
        "capsule",
        "capsules",
        "battery",
        "brush",
        "glass",
    }
    assert Names([]).within(text) == set()
