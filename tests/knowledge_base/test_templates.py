"""The nearest good image is found, remembered, and never invented."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from knowledge_base.errors import TemplatesUnusable
from knowledge_base.templates import Choice, Embedder, Image, TemplateLibrary, turned_image


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
    return TemplateLibrary(Embedder(embed or Counting(), model), open_image, cache_dir=cache)


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
    found = good.choose(flat(190, 60, 20), limit=3).templates
    assert [t.path.name for t in found] == ["red.png", "green.PNG", "blue.jpg"]
    expected = mean_colour(flat(190, 60, 20)) @ mean_colour(flat(200, 10, 10))
    expected /= np.linalg.norm(mean_colour(flat(190, 60, 20))) * np.linalg.norm(
        mean_colour(flat(200, 10, 10))
    )
    assert found[0].similarity == pytest.approx(expected, abs=1e-5)
    assert good.choose(flat(200, 10, 10)).templates[0].similarity == pytest.approx(1, abs=1e-6)


def test_limits(folder: Path) -> None:
    good = library()
    good.load(folder)
    assert len(good.choose(flat(1, 2, 3)).templates) == 1
    assert len(good.choose(flat(1, 2, 3), limit=99).templates) == 3
    assert good.choose(flat(1, 2, 3), limit=0) == good.choose(flat(1, 2, 3), limit=-1) == Choice(())


def test_ties_keep_the_order_of_names(tmp_path: Path) -> None:
    for name in ("c.png", "a.png", "b.png"):
        save(tmp_path / "good", name, 50, 60, 70)
    good = library()
    good.load(tmp_path / "good")
    assert [t.path.name for t in good.choose(flat(9, 9, 9), limit=3).templates] == ["a.png", "b.png", "c.png"]


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
        library().choose(flat(1, 2, 3))


def test_a_failed_load_leaves_the_library_as_it_was(folder: Path, tmp_path: Path) -> None:
    good = library()
    good.load(folder)
    with pytest.raises(TemplatesUnusable):
        good.load(tmp_path / "absent")
    assert good.choose(flat(200, 10, 10)).templates[0].path.name == "red.png"


def test_vectors_are_remembered_by_content_and_not_by_name(folder: Path, tmp_path: Path) -> None:
    library(cache=tmp_path / "cache").load(folder)
    (folder / "red.png").rename(folder / "rouge.png")
    save(folder, "white.png", 255, 255, 255)
    embed = Counting()
    good = library(embed, tmp_path / "cache")
    loaded = good.load(folder)
    assert (embed.calls, loaded.from_cache, len(loaded.indexed)) == (1, 3, 4)
    assert good.choose(flat(200, 10, 10)).templates[0].path.name == "rouge.png"
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
        TemplateLibrary(Embedder(lambda _: vector, "bad"), open_image).load(folder)


def corner_brightness(image: Image) -> npt.NDArray[np.float64]:
    """An embedding that sees turns: the brightness of the four quarters."""
    height, width = (side // 2 for side in image.shape[:2])
    quarters = (
        image[:height, :width],
        image[:height, width:],
        image[height:, :width],
        image[height:, width:],
    )
    return np.array([float(quarter.mean()) for quarter in quarters]) + 1


def spotted(height: int, width: int, *, level: int = 200) -> Image:
    """A dark image with a bright quarter at the upper left."""
    image = np.full((height, width, 3), 20, np.uint8)
    image[: height // 2, : width // 2] = level
    return image


@pytest.fixture
def turning(tmp_path: Path) -> TemplateLibrary:
    """Two landscape images with their spot at the upper left, and a portrait one with none."""
    good = tmp_path / "turning"
    good.mkdir()
    Pillow.fromarray(spotted(40, 80)).save(good / "wide.png")
    Pillow.fromarray(spotted(44, 80, level=180)).save(good / "wider.png")
    Pillow.fromarray(spotted(80, 40, level=20)).save(good / "high.png")
    library = TemplateLibrary(Embedder(corner_brightness, "corners"), open_image)
    library.load(good)
    return library


@pytest.mark.parametrize(("quarters", "turn_deg"), [(0, 0), (1, 270), (2, 180), (3, 90)])
def test_a_turned_part_is_found_and_its_turn_is_said(
    turning: TemplateLibrary, quarters: int, turn_deg: int
) -> None:
    query = turned_image(spotted(40, 80), quarters)
    chosen = turning.choose(query, limit=3)
    assert [t.path.name for t in chosen.templates] == [
        "wide.png",
        "wider.png",
    ]  # the portrait one lies otherwise
    assert {t.turn_deg for t in chosen.templates} == {turn_deg}
    assert chosen.templates[0].similarity == pytest.approx(1)
    assert np.array_equal(turned_image(query, turn_deg // 90), spotted(40, 80))


def test_a_part_that_looks_alike_at_every_turn_is_not_called_turned(tmp_path: Path) -> None:
    save(tmp_path / "good", "a.png", 90, 60, 30)
    good = library()
    good.load(tmp_path / "good")
    assert good.choose(flat(80, 70, 30)).templates[0].turn_deg == 0


def test_a_shape_of_which_there_is_no_good_image_is_said(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    Pillow.fromarray(spotted(40, 40)).save(tmp_path / "good" / "square.png")
    good = TemplateLibrary(Embedder(corner_brightness, "corners"), open_image)
    good.load(tmp_path / "good")
    chosen = good.choose(spotted(40, 80))
    assert chosen.templates[0].path.name == "square.png"
    assert chosen.note == "no good image lies as this landscape one does"
    assert good.choose(spotted(40, 40)).note == ""


def test_random_ones_follow_from_the_query(tmp_path: Path) -> None:
    for number in range(30):
        save(tmp_path / "good", f"{number:02}.png", 8 * number, 99, 99)
    good = library()
    good.load(tmp_path / "good")
    once, again = (good.choose(flat(1, 2, 3), 5, "random").templates for _ in range(2))
    other = good.choose(flat(1, 2, 4), 5, "random").templates
    assert once == again
    assert [t.path for t in once] != [t.path for t in other]
    assert len({t.path for t in once}) == 5
    nearest = {t.path: t.similarity for t in good.choose(flat(1, 2, 3), 30).templates}
    assert all(t.similarity == pytest.approx(nearest[t.path], abs=1e-6) for t in once)


def test_none_are_none(folder: Path) -> None:
    good = library()
    good.load(folder)
    assert good.choose(flat(1, 2, 3), 5, "none") == Choice(())
