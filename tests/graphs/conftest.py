"""Values that the tests of the graphs build on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from graphs.reasoning import Claim, Opinion
from knowledge_base.embeddings import MiniLmEmbeddings
from knowledge_base.load import load_documents
from knowledge_base.search import KnowledgeBase
from knowledge_base.store import KnowledgeStore
from tools.types import Box, Calibration, ExpertReading, ImageRef, Region, Reliability, Zone

SCORES: dict[Zone, float] = {"normal": 1.0, "uncertain": 3.5, "anomalous": 9.0}


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    """The shipped documents, indexed."""
    opened = KnowledgeBase(
        load_documents(), KnowledgeStore(tmp_path_factory.mktemp("kb")), MiniLmEmbeddings()
    )
    yield opened
    opened.close()


@pytest.fixture
def image() -> ImageRef:
    """A query of 640x480 pixels."""
    return ImageRef(path="query.png", sha256="a" * 64, width_px=640, height_px=480)


@pytest.fixture
def region() -> Region:
    """A small dark, elongated region near the centre."""
    return Region(
        box=Box(x0=300, y0=200, x1=340, y1=210),
        contour=((300, 200), (339, 200), (339, 209), (300, 209)),
        cell="center",
        area_px=400,
        area_fraction=400 / (640 * 480),
        peak=9.0,
        peak_xy=(320, 205),
        elongation=4.0,
        grey_difference=-60.0,
        polarity="darker",
    )


@pytest.fixture
def reading_in(region: Region) -> Callable[..., ExpertReading]:
    """Makes a reading in the given zone."""

    def make(
        zone: Zone, *, reliability: Reliability = "high", regions: tuple[Region, ...] | None = None
    ) -> ExpertReading:
        calibration = Calibration(
            method="test",
            normals=8,
            centre=1.0,
            spread=0.5,
            uncertain_from=3.0,
            anomalous_from=4.0,
            reliability=reliability,
            reliability_reason="eight good images.",
        )
        if regions is None:
            regions = () if zone == "normal" else (region,)
        return ExpertReading(
            expert="pair",
            score=SCORES[zone],
            threshold=4.0,
            position=calibration.position(SCORES[zone]),
            zone=zone,
            calibration=calibration,
            regions=regions,
            same_view=True,
            seconds=0.01,
        )

    return make


@pytest.fixture
def opinion() -> Callable[..., Opinion]:
    """Makes an opinion of a model."""

    def make(
        judgement: str,
        *,
        confidence: float = 0.8,
        claims: tuple[Claim, ...] = (),
        looked_at: int | None = None,
    ) -> Opinion:
        return Opinion(
            by="vlm:test",
            judgement=judgement,
            confidence=confidence,
            summary=f"I say {judgement}.",
            claims=claims,
            looked_at=looked_at,
        )

    return make
