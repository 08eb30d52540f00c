"""The library of good images: what is on record stays found, whoever writes, dies or changes the model."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from knowledge_base.errors import TemplatesUnusable
from knowledge_base.templates import Embedder, Fingerprint, Image, NewTemplate, TemplateStore

DIMENSION = 24

CENTRES = {"bottle": 1, "flange": 2, "nut": 3}


def picture(product: str, number: int, wobble: float = 0.05) -> Image:
    """An image whose first bytes say what it shows, so that `embed` can be read by head."""
    rng = np.random.default_rng([CENTRES[product], number])
    image = rng.integers(0, 255, (48, 64, 3)).astype(np.uint8)
    image[0, 0] = (CENTRES[product], number % 256, round(wobble * 100))
    return image


def embed(image: Image) -> npt.NDArray[np.float64]:
    """Product, number and wobble as a direction; a turned image points elsewhere."""
    for quarters in range(4):
        centre, number, wobble = (int(value) for value in np.rot90(image, quarters)[0, 0])
        if centre in CENTRES.values() and wobble <= 100:
            base = np.random.default_rng(centre).standard_normal(DIMENSION)
            off = np.random.default_rng([centre, number]).standard_normal(DIMENSION)
            turn = np.random.default_rng(99 + quarters).standard_normal(DIMENSION) * (quarters > 0)
            return base + wobble / 100 * off + turn
    return np.ones(DIMENSION)


def open_image(path: Path) -> Image:
    return np.load(path)


def library(folder: Path, model: str = "by head") -> TemplateStore:
    return TemplateStore(folder, Embedder(embed, model), open_image)


def put(store: TemplateStore, product: str, numbers: range, *, measure: bool = True) -> None:
    """Add pictures as a caller does: sift, copy, add."""
    with store.adding():
        new = []
        for number in numbers:
            image = picture(product, number)
            file = store.folder / product / f"{number}.npy"
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, image)
            seen = store.seen(file.name, image, lambda image=image: image)
            new.append(
                NewTemplate(
                    f"{product}/{number}.npy",
                    f"{product}{number}",
                    64,
                    48,
                    (),
                    seen.vector,
                    Fingerprint.of(image),
                )
            )
        store.add(product, new)
        if measure:
            store.measure()


@pytest.fixture
def store(tmp_path: Path) -> TemplateStore:
    store = library(tmp_path / "library")
    for product in ("bottle", "flange"):
        put(store, product, range(8))
    return store


def nearest(store: TemplateStore, image: Image, product: str | None = None) -> str:
    template = store.choose(image, product=product).templates[0]
    return f"{template.product}/{template.path.name}"


def test_images_are_found_again_within_their_product(store: TemplateStore) -> None:
    assert store.products() == {"bottle": 8, "flange": 8}
    assert nearest(store, picture("bottle", 3)) == "bottle/3.npy"
    assert nearest(store, picture("bottle", 3), "flange").startswith("flange/")
    chosen = store.of("flange").choose(picture("flange", 5), limit=99).templates
    assert len(chosen) == 8
    assert chosen[0].similarity == pytest.approx(1, abs=1e-5)
    assert [image.path.name for image in store.images_of("flange", 2)] == ["0.npy", "1.npy"]


def test_another_process_would_find_the_same(store: TemplateStore) -> None:
    again = library(store.folder)
    assert again.products() == store.products()
    assert nearest(again, picture("flange", 7)) == "flange/7.npy"
    assert again.state("flange") == store.state("flange") != ""


def test_what_is_added_is_found_at_once_and_changes_the_state(store: TemplateStore) -> None:
    before, bottle = store.state("flange"), store.state("bottle")
    other = library(store.folder)
    assert nearest(other, picture("flange", 20)) != "flange/20.npy"
    put(store, "flange", range(20, 21))
    assert nearest(other, picture("flange", 20)) == "flange/20.npy"
    assert store.state("flange") != before
    assert store.state("bottle") == bottle


def test_an_empty_library_says_so(tmp_path: Path) -> None:
    empty = library(tmp_path / "none")
    assert empty.products() == {}
    assert empty.images_of("x") == []
    assert empty.recognise(picture("nut", 1)) is None
    with pytest.raises(TemplatesUnusable, match="no good image of any product is on record"):
        empty.choose(picture("nut", 1))
    assert not (tmp_path / "none").exists(), "asking wrote something"


def test_a_product_not_on_record_is_named(store: TemplateStore) -> None:
    with pytest.raises(TemplatesUnusable, match="no good image of nut is on record"):
        store.choose(picture("nut", 1), product="nut")


def test_products_are_recognised_at_any_turn(store: TemplateStore) -> None:
    found = store.recognise(picture("bottle", 77))
    assert found is not None
    assert (found.product, found.runner_up) == ("bottle", "flange")
    assert store.recognise(picture("nut", 1)) is None


def test_a_picture_of_another_product_is_noticed(store: TemplateStore) -> None:
    wrong = store.mismatch(picture("bottle", 50), "flange")
    assert wrong is not None
    assert str(wrong).startswith("looks like bottle (1.00)")
    assert store.mismatch(picture("flange", 50), "flange") is None
    assert store.mismatch(picture("nut", 50), "flange") is None
    assert store.mismatch(picture("bottle", 50), "nut") is None  # nut is not on record


def sifted(store: TemplateStore, product: str, images: list[Image]) -> tuple[list[str], str, list[str]]:
    batch = [store.seen(f"{n}.png", image, lambda image=image: image) for n, image in enumerate(images)]
    fates, note = store.sift(product, batch)
    return [one.fate for one in fates], note, [one.reason for one in fates]


def test_strays_are_refused_with_a_reason(store: TemplateStore) -> None:
    fates, note, reasons = sifted(store, "flange", [picture("flange", 30), picture("bottle", 31)])
    assert fates == ["new", "other_product"]
    assert reasons[1].startswith("looks like bottle (1.00)")
    assert "and not like flange (" in reasons[1]
    assert note == ""


def test_the_batch_speaks_for_a_new_product(store: TemplateStore) -> None:
    nuts = [picture("nut", n) for n in range(6)]
    fates, note, _ = sifted(store, "nut", [*nuts, picture("bottle", 31), picture("bottle", 32)])
    assert fates == ["new"] * 6 + ["other_product"] * 2
    assert note == ""


def test_strays_are_refused_while_a_library_grows_by_batches(store: TemplateStore) -> None:
    for start in range(100, 130, 2):  # nobody measures in between
        batch = [picture("flange", start), picture("bottle", start + 1)]
        assert sifted(store, "flange", batch)[0] == ["new", "other_product"]
        put(store, "flange", range(start, start + 2), measure=False)
    assert sifted(store, "nut", [*(picture("nut", n) for n in range(5)), picture("flange", 7)])[0][-1] == (
        "other_product"
    )


def test_too_few_images_refuse_nothing_and_that_is_said(store: TemplateStore) -> None:
    fates, note, _ = sifted(store, "nut", [picture("nut", 1), picture("bottle", 31)])
    assert fates == ["new", "new"]
    assert note == "it has fewer than 3 good images"


def test_a_folder_of_another_product_is_not_judged_by_itself(store: TemplateStore) -> None:
    fates, note, _ = sifted(store, "nut", [picture("bottle", n) for n in range(30, 36)])
    assert fates == ["new"] * 6
    assert "look more like bottle" in note


def test_a_picture_is_kept_once_in_a_batch_and_on_record(store: TemplateStore) -> None:
    one = picture("flange", 40)
    again = np.clip(one.astype(int) + 1, 0, 255).astype(np.uint8)
    again[0, 0] = one[0, 0]
    fates, _, reasons = sifted(store, "flange", [one, again, picture("flange", 2)])
    assert fates == ["new", "same_picture", "same_picture"]
    assert reasons[1:] == ["the same picture as 0.png, saved again", "the same picture as 2.npy, saved again"]


def test_a_record_whose_file_is_gone_is_no_twin(store: TemplateStore) -> None:
    (store.folder / "flange" / "2.npy").unlink()
    assert sifted(store, "flange", [picture("flange", 2)])[0] == ["new"]


def test_another_model_looks_at_everything_anew(store: TemplateStore) -> None:
    other = library(store.folder, "another model")
    assert nearest(other, picture("bottle", 3)) == "bottle/3.npy"
    put(store, "flange", range(20, 25))
    assert nearest(other, picture("flange", 22)) == "flange/22.npy"
    assert len(list(store.folder.glob("vectors-*.f32"))) == 2


def test_what_another_model_cannot_read_is_not_found_and_harms_nothing(store: TemplateStore) -> None:
    (store.folder / "bottle" / "3.npy").write_bytes(b"broken")
    other = library(store.folder, "another model")
    assert nearest(other, picture("bottle", 3)) != "bottle/3.npy"
    assert nearest(other, picture("bottle", 4)) == "bottle/4.npy"


def test_removed_products_are_gone_and_can_come_back(store: TemplateStore) -> None:
    assert len(store.remove("bottle")) == 8
    assert store.remove("bottle") == []
    assert store.products() == {"flange": 8}
    assert nearest(store, picture("bottle", 3)).startswith("flange/")
    put(store, "bottle", range(2))
    assert nearest(store, picture("bottle", 1)) == "bottle/1.npy"


def test_removing_most_gives_the_room_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge_base.templates.rows._WORTH_PACKING", 16)
    store, reader = library(tmp_path), library(tmp_path)
    put(store, "bottle", range(30))
    put(store, "flange", range(6))
    assert nearest(reader, picture("flange", 4)) == "flange/4.npy"
    store.remove("bottle")
    (file,) = tmp_path.glob("vectors-*.f32")
    assert file.stat().st_size == 6 * DIMENSION * 4
    for one in (store, reader, library(tmp_path)):
        assert nearest(one, picture("flange", 4)) == "flange/4.npy"
    put(store, "nut", range(3))
    assert nearest(reader, picture("nut", 2)) == "nut/2.npy"


def test_rows_that_are_renumbered_in_the_middle_of_a_search_are_not_mixed_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge_base.templates.rows._WORTH_PACKING", 16)
    writer, reader = library(tmp_path), library(tmp_path)
    put(writer, "bottle", range(30))
    put(writer, "flange", range(6))
    look_up, interrupted = TemplateStore._rows, []

    def packed_before(self: TemplateStore, *arguments: object) -> object:
        if self is reader and not interrupted:
            interrupted.append(writer.remove("bottle"))
            put(writer, "nut", range(30))  # takes the numbers that flange had
        return look_up(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(TemplateStore, "_rows", packed_before)
    assert nearest(reader, picture("flange", 4)) == "flange/4.npy"
    assert interrupted


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "templates.sqlite").write_bytes(b"no database" * 100),
        lambda folder: next(folder.glob("vectors-*")).unlink(),
        lambda folder: next(folder.glob("vectors-*")).write_bytes(b"short"),
    ],
)
def test_damage_is_one_line_with_a_remedy(store: TemplateStore, damage: object) -> None:
    for leftover in store.folder.glob("templates.sqlite-*"):
        leftover.unlink()
    damage(store.folder)  # type: ignore[operator]
    with pytest.raises(TemplatesUnusable, match="add the images again") as told:
        library(store.folder).choose(picture("flange", 1))
    assert "\n" not in str(told.value)


def test_a_later_format_is_refused(store: TemplateStore) -> None:
    connection = sqlite3.connect(store.folder / "templates.sqlite")
    connection.execute("PRAGMA user_version=9")
    connection.close()
    with pytest.raises(TemplatesUnusable, match="written by another version"):
        library(store.folder).products()


def _write_for_ever(folder: str) -> None:
    store = library(Path(folder))
    for start in range(100, 100_000, 5):
        put(store, "flange", range(start, start + 5), measure=False)


def test_two_read_while_one_writes_and_a_killed_writer_leaves_it_whole(store: TemplateStore) -> None:
    writer = multiprocessing.get_context("spawn").Process(target=_write_for_ever, args=(str(store.folder),))
    writer.start()
    readers = [library(store.folder), library(store.folder)]
    deadline = time.monotonic() + 60
    while store.products()["flange"] < 28 and time.monotonic() < deadline:
        for reader in readers:
            assert nearest(reader, picture("bottle", 3)) == "bottle/3.npy"
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    count = store.products()["flange"]
    assert count >= 28
    assert (count - 8) % 5 == 0, "half a batch is on record"
    last = count - 8 + 100 - 1
    for one in (*readers, library(store.folder)):
        assert nearest(one, picture("flange", last)) == f"flange/{last}.npy"
    put(store, "nut", range(3))  # the lock of the dead is free
    assert nearest(readers[0], picture("nut", 1)) == "nut/1.npy"


def test_what_a_killed_writer_left_behind_is_written_over(store: TemplateStore) -> None:
    (file,) = store.folder.glob("vectors-*.f32")
    with file.open("ab") as stream:
        stream.write(b"\x7f" * 1001)  # vectors of a batch that never came on record
    put(store, "nut", range(3))
    assert nearest(library(store.folder), picture("nut", 2)) == "nut/2.npy"
    assert file.stat().st_size == 19 * DIMENSION * 4
