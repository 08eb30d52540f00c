"""Images that show another product are found, and defects, odd images and similar products are left alone."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import files
from pathlib import Path

import numpy as np
import pytest

from evals.mmad.checking import check_mmad
from evals.mmad.strangers import FAR, Suspect, Vector, chosen_templates, strangers
from evals.types import Case
from tests.evals.mmad_folder import draw, harm, save, write_mmad
from tools.experts.backbones import EmbeddedBackbone


@pytest.fixture(scope="session")
def backbone(data_dir: Path) -> EmbeddedBackbone:
    return EmbeddedBackbone(data_dir / "models")


def keys(folder: Path, part: str) -> list[str]:
    return [key for key in json.loads((folder / "mmad.json").read_text()) if part in key]


def test_good_images_that_show_another_product_are_found(tmp_path: Path, backbone: EmbeddedBackbone) -> None:
    folder = write_mmad(tmp_path, images=24, size_px=96, templates=5)
    swapped = keys(folder, "board/image/good")
    rng = np.random.default_rng(5)
    for key in swapped:  # as in the published data: good images of one class showed another's
        save(folder / key, draw("washer", rng, 96))
    check = check_mmad(folder, embed=backbone.embed)
    assert check.suspects == set(swapped)
    assert check.categories_compared == 2
    assert {finding.kind for finding in check.findings} == {"shows another product"}
    assert all("looks like Parts/washer" in finding.detail for finding in check.findings)


def test_a_defective_image_of_another_product_is_found(tmp_path: Path, backbone: EmbeddedBackbone) -> None:
    folder = write_mmad(tmp_path, images=8, size_px=96)
    key = keys(folder, "washer/image/scratch")[0]
    picture = draw("board", np.random.default_rng(5), 96)
    harm(picture, "board", 2)
    save(folder / key, picture)
    assert check_mmad(folder, embed=backbone.embed).suspects == {key}


def test_defects_are_no_other_product(tmp_path: Path, backbone: EmbeddedBackbone) -> None:
    folder = write_mmad(tmp_path, images=40, size_px=96, templates=5)
    check = check_mmad(folder, embed=backbone.embed)
    assert check.suspects == frozenset()
    assert check.findings == ()


def test_without_another_category_a_good_image_unlike_all_templates_is_found(
    tmp_path: Path, backbone: EmbeddedBackbone
) -> None:
    folder = write_mmad(tmp_path, images=8, size_px=96, categories=("board",), templates=8)
    key = keys(folder, "good")[0]
    save(folder / key, draw("washer", np.random.default_rng(5), 96))
    check = check_mmad(folder, embed=backbone.embed)
    assert check.suspects == {key}
    assert "unlike its templates" in check.findings[0].detail


def test_an_unreadable_image_is_no_suspect(tmp_path: Path, backbone: EmbeddedBackbone) -> None:
    folder = write_mmad(tmp_path, images=8, size_px=96)
    key = keys(folder, "good")[0]
    (folder / key).write_bytes(b"")
    shutil.rmtree(folder / "Parts/board/train")
    check = check_mmad(folder, embed=backbone.embed)
    assert check.suspects == frozenset()
    assert check.unreadable == {key}


@pytest.mark.data
def test_real_boards_are_boards(boards_dir: Path, backbone: EmbeddedBackbone) -> None:
    check = check_mmad(boards_dir / "mmad_deeppcb", embed=backbone.embed)
    assert check.findings == ()
    assert check.suspects == frozenset()
    assert check.pictures_opened == 152


@pytest.mark.data
def test_textiles_among_real_boards_are_found(
    boards_dir: Path, tmp_path: Path, backbone: EmbeddedBackbone
) -> None:
    shutil.copytree(boards_dir / "mmad_deeppcb", tmp_path / "d", copy_function=shutil.copyfile)
    for path in (tmp_path / "d").rglob("*"):
        path.chmod(0o755)
    textiles = sorted(
        str(file.locate()) for file in files("conformal-clip-data") or () if "simulated/nominal" in str(file)
    )
    swapped = keys(tmp_path / "d", "/image/good/")[:22]
    for key, textile in zip(swapped, textiles, strict=False):
        shutil.copyfile(textile, tmp_path / "d" / key)
    assert check_mmad(tmp_path / "d", embed=backbone.embed).suspects == set(swapped)


# The rule itself, on descriptors given outright: angles from the category's own direction.


def case(name: str, category: str, templates: tuple[str, ...], dataset: str = "D") -> Case:
    image = f"{dataset}/{category}/image/{name}.png"
    paths = tuple(Path(one) for one in templates)
    return Case(
        image=image,
        path=Path(image),
        dataset=dataset,
        category=category,
        questions=(),
        random_templates=paths,
    )


def at(distance: float) -> Vector:
    """A vector at this distance from the first axis, in the plane of the first two."""
    angle = np.arccos(1 - distance)
    return np.array([np.cos(angle), np.sin(angle), 0, 0], np.float32)


def judged(
    query: float, *, own: tuple[float, ...], other: tuple[float, ...], name: str = "good/0", **more: str
) -> list[Suspect]:
    known = {f"own{i}": at(value) for i, value in enumerate(own)} | {
        f"other{i}": at(value) for i, value in enumerate(other)
    }
    first = case(name, "pill", tuple(one for one in known if one.startswith("own")))
    second = case(
        "good/1", more.get("called", "nut"), tuple(one for one in known if one.startswith("other")), "E"
    )
    known[str(first.path)] = at(query)
    return strangers([first, second], lambda path: known.get(str(path)))


def test_nearer_is_not_enough() -> None:
    assert [one.looks_like for one in judged(0.40, own=(0.0,), other=(0.42,))] == ["E/nut"]
    assert judged(0.10, own=(0.0,), other=(0.25,)) == []  # about twice as near only


def test_what_lies_close_is_never_another_product() -> None:
    assert judged(FAR * 0.9, own=(0.0,), other=(FAR * 0.9,)) == []
    assert len(judged(FAR * 1.2, own=(0.0,), other=(FAR * 1.2,))) == 1


def test_a_category_of_many_kinds_suspects_less() -> None:
    near_other = {"query": 0.40, "other": (0.42,)}
    assert len(judged(own=(0.0, 0.001, 0.002, 0.003), **near_other)) == 1  # type: ignore[arg-type]
    # one template lies as far from its fellows as the query does
    spread = tuple(1 - np.cos(angle) for angle in (0.0, 0.02, -1.0))
    vectors = [np.array([1 - d, np.sqrt(1 - (1 - d) ** 2), 0, 0], np.float32) for d in spread]
    vectors[2][1] *= -1
    vectors.append(vectors[0])
    known = {f"own{i}": vector for i, vector in enumerate(vectors)} | {"other0": at(0.42)}
    first = case("good/0", "pill", ("own0", "own1", "own2", "own3"))
    known[str(first.path)] = at(0.40)
    assert strangers([first, case("good/1", "nut", ("other0",))], lambda path: known.get(str(path))) == []


def test_one_product_in_two_data_sets_is_no_other_product() -> None:
    assert judged(0.40, own=(0.0,), other=(0.42,), called="pill") == []


def test_only_good_images_are_judged_by_their_own_templates_alone() -> None:
    own = tuple(index * 1e-4 for index in range(8))
    lone = judged(0.4, own=own, other=(1.0,))
    assert [one.looks_like for one in lone] == [None]
    assert judged(0.4, own=own, other=(1.0,), name="crack/0") == []
    assert judged(0.4, own=own[:7], other=(1.0,)) == []  # too few templates to know what is usual


def test_a_kind_that_was_not_chosen_clears_its_own_image() -> None:
    names = tuple(f"own{index:03d}" for index in range(200))
    known = {name: at(0.0) for name in names}
    rare = next(
        name
        for name in names
        if Path(name) not in chosen_templates([case("good/0", "pill", names)])["D/pill"]
    )
    known[rare] = at(0.40)
    cases = [
        case("good/0", "pill", (rare,)),
        *(case(f"good/{index}", "pill", (name,)) for index, name in enumerate(names, start=1)),
        case("good/0", "nut", ("other",)),
    ]
    known |= {str(one.path): at(0.0) for one in cases} | {"other": at(0.42), str(cases[0].path): at(0.40)}
    known[str(cases[-1].path)] = at(0.42)
    assert strangers(cases, lambda path: known[str(path)]) == []
    alone = cases[0].model_copy(update={"random_templates": (Path(names[0]),)})
    assert [one.image for one in strangers([alone, *cases[1:]], lambda path: known[str(path)])] == [
        alone.image
    ]
