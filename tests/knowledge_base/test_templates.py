"""The nearest good image is found, remembered, and never invented."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from knowledge_base.errors import TemplatesUnusable
from knowledge_base.templates import Image, TemplateLibrary


def mean_colour(image: Image) -> npt.NDArray[np.float64]:
    """An embedding that a reader can check by head: the mean of each channel."""
    return image.reshape(-1, 3).mean(axis=0) + 1.0


def open_image(path: Path) -> Image:
    with Pillow.open(path) as image:
        return np.asarray(image.convert("RGB"))


def flat(*colour: int) -> Image:
    return np.full((8, 8, 3), colour, np.uint8)


def save(folder: Path, name: str, *colour: int) -> Path:
    folder.mkdir(exist_ok=True)
    Pillow.fromarray(flat(*colour)).save(folder / name)
    return folder / name


class Counting:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, image: Image) -> npt.NDArray[np.float64]:
        self.calls += 1
        return mean_colour(image)


def library(embed: Counting | None = None, cache: Path | None = None, model: str = "mean") -> TemplateLibrary:
    return TemplateLibrary(embed or Counting(), open_image, model=model, cache_dir=cache)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, colour in {
        "red.png": (200, 10, 10),
        "green.PNG": (10, 200, 10),
        "blue.jpg": (10, 10, 200),
    }.items():
        save(tmp_path / "good", name, *colour)
    return tmp_path / "good"


def test_the_nearest_by_cosine_comes_first(folder: Path) -> None:
    good = library()
    assert [p.name for p in good.load(folder).indexed] == ["blue.jpg", "green.PNG", "red.png"]
    found = good.nearest(flat(190, 60, 20), limit=3)
    assert [t.path.name for t in found] == ["red.png", "green.PNG", "blue.jpg"]
    expected = mean_colour(flat(190, 60, 20)) @ mean_colour(flat(200, 10, 10))
    expected /= np.linalg.norm(mean_colour(flat(190, 60, 20))) * np.linalg.norm(
        mean_colour(flat(200, 10, 10))
    )
    assert found[0].similarity == pytest.approx(expected, abs=1e-5)
    assert good.nearest(flat(200, 10, 10))[0].similarity == pytest.approx(1, abs=1e-6)


def test_limits(folder: Path) -> None:
    good = library()
    good.load(folder)
    assert len(good.nearest(flat(1, 2, 3))) == 1
    assert len(good.nearest(flat(1, 2, 3), limit=99)) == 3
    assert good.nearest(flat(1, 2, 3), limit=0) == good.nearest(flat(1, 2, 3), limit=-1) == []


def test_ties_keep_the_order_of_names(tmp_path: Path) -> None:
    for name in ("c.png", "a.png", "b.png"):
        save(tmp_path / "good", name, 50, 60, 70)
    good = library()
    good.load(tmp_path / "good")
    assert [t.path.name for t in good.nearest(flat(9, 9, 9), limit=3)] == ["a.png", "b.png", "c.png"]


def test_unreadable_images_are_named_and_left_out(folder: Path) -> None:
    (folder / "broken.png").write_bytes(b"not a picture")
    (folder / "empty.jpg").touch()
    (folder / "cut.png").write_bytes((folder / "red.png").read_bytes()[:40])
    (folder / "notes.txt").write_text("not meant to be one")
    (folder / "more").mkdir()
    save(folder / "more", "below.png", 1, 1, 1)
    loaded = library().load(folder)
    assert len(loaded.indexed) == 3
    assert [path.name for path, _ in loaded.unreadable] == ["broken.png", "cut.png", "empty.jpg"]
    assert all(reason for _, reason in loaded.unreadable)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda f: None, "cannot list the template folder"),
        (lambda f: f.mkdir(), r"no images \(.*\) in"),
        (lambda f: f.write_text("file"), "cannot list the template folder"),
        (lambda f: (f.mkdir(), (f / "a.png").write_bytes(b"x")), "none of the 1 images"),
    ],
)
def test_a_folder_without_good_images_is_an_error(tmp_path: Path, make: object, said: str) -> None:
    make(tmp_path / "good")  # type: ignore[operator]
    with pytest.raises(TemplatesUnusable, match=said):
        library().load(tmp_path / "good")


def test_asking_before_loading_is_an_error() -> None:
    with pytest.raises(TemplatesUnusable, match="no template folder was loaded"):
        library().nearest(flat(1, 2, 3))


def test_a_failed_load_leaves_the_library_as_it_was(folder: Path, tmp_path: Path) -> None:
    good = library()
    good.load(folder)
    with pytest.raises(TemplatesUnusable):
        good.load(tmp_path / "absent")
    assert good.nearest(flat(200, 10, 10))[0].path.name == "red.png"


def test_vectors_are_remembered_by_content_and_not_by_name(folder: Path, tmp_path: Path) -> None:
    library(cache=tmp_path / "cache").load(folder)
    (folder / "red.png").rename(folder / "rouge.png")
    save(folder, "white.png", 255, 255, 255)
    embed = Counting()
    good = library(embed, tmp_path / "cache")
    loaded = good.load(folder)
    assert (embed.calls, loaded.from_cache, len(loaded.indexed)) == (1, 3, 4)
    assert good.nearest(flat(200, 10, 10))[0].path.name == "rouge.png"
    save(folder, "blue.jpg", 0, 0, 255)  # the same name, another picture
    embed.calls = 0
    assert good.load(folder).from_cache == 3
    assert embed.calls == 1


def test_another_model_does_not_use_the_vectors(folder: Path, tmp_path: Path) -> None:
    library(cache=tmp_path / "cache").load(folder)
    embed = Counting()
    assert library(embed, tmp_path / "cache", model="other").load(folder).from_cache == 0
    assert embed.calls == 3


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut", b"\x80\x04N."])
def test_a_damaged_cache_costs_only_time(folder: Path, tmp_path: Path, damage: bytes) -> None:
    library(cache=tmp_path / "cache").load(folder)
    (cache,) = (tmp_path / "cache").iterdir()
    cache.write_bytes(damage)
    assert library(cache=tmp_path / "cache").load(folder).from_cache == 0
    assert library(cache=tmp_path / "cache").load(folder).from_cache == 3


def test_a_cache_that_cannot_be_written_is_said(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    loaded = library(cache=tmp_path / "cache").load(folder)
    assert len(loaded.indexed) == 3
    assert loaded.cache_problem is not None
    assert "cannot be written" in loaded.cache_problem


@pytest.mark.parametrize("vector", [np.zeros(3), np.full(3, np.nan), np.ones((2, 2))])
def test_a_meaningless_embedding_is_a_bug_and_rises(folder: Path, vector: npt.NDArray[np.float64]) -> None:
    with pytest.raises(TypeError, match="finite vector"):
        TemplateLibrary(lambda _: vector, open_image, model="bad").load(folder)
