"""Any picture becomes the RGB that a person would see, or one clear line that says why not."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tools.array_cache import ArrayCache
from tools.errors import ArtifactError, ImageError, ImageMissing, ImageTooLarge, ImageUnreadable
from tools.image import ImageStore, content_hash, data_uri, encode_jpeg, encode_png


def picture(width: int = 40, height: int = 30) -> Image.Image:
    """A picture without symmetry, so that every wrong turn shows."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.dstack((x * 5, y * 7, (x + y) * 2)).astype(np.uint8))


def save(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


def opened(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    store = ImageStore()
    ref = store.open(path)
    return store.pixels(ref), ref.notes


def test_a_plain_picture_comes_back_as_it_was(tmp_path):
    store = ImageStore()
    path = save(picture(), tmp_path / "a.png")
    ref = store.open(path)
    assert (ref.path, ref.width_px, ref.height_px, ref.notes) == (str(path), 40, 30, ())
    np.testing.assert_array_equal(store.pixels(ref), np.asarray(picture()))


def test_equal_pixels_are_one_image_whatever_the_file(tmp_path):
    store = ImageStore()
    png, bmp = save(picture(), tmp_path / "a.png"), save(picture(), tmp_path / "b.bmp")
    assert store.open(png).sha256 == store.open(bmp).sha256
    turned = Image.fromarray(np.asarray(picture()).reshape(40, 30, 3))  # the same bytes, another size
    assert store.open(save(turned, tmp_path / "c.png")).sha256 != store.open(png).sha256


def test_pixels_cannot_be_written_to(tmp_path):
    pixels, _ = opened(save(picture(), tmp_path / "a.png"))
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0] = 0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(picture(), tmp_path / f"a.{suffix}", exif=exif)
    pixels, notes = opened(path)
    with Image.open(path) as stored:
        np.testing.assert_array_equal(pixels, np.asarray(ImageOps.exif_transpose(stored)))
    assert pixels.shape[:2] == ((40, 30) if orientation > 4 else (30, 40))
    if suffix != "tif":  # Pillow's TIFF reader turns by itself
        assert bool(notes) == (orientation > 1)


def test_a_damaged_exif_block_does_not_cost_the_picture(tmp_path):
    path = save(picture(), tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert opened(path)[0].shape == (30, 40, 3)


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_modes_that_lose_nothing_need_no_note(tmp_path, mode):
    image = picture().convert(mode)
    pixels, notes = opened(save(image, tmp_path / "a.png"))
    np.testing.assert_array_equal(pixels, np.asarray(image.convert("RGB")))
    assert notes == ()


@pytest.mark.parametrize("form", ["RGBA", "LA", "P", "RGB with a transparent colour"])
def test_what_is_transparent_becomes_white(tmp_path, form):
    path = tmp_path / "a.png"
    if form == "P":
        palette = Image.new("P", (4, 4), 1)
        palette.putpalette([0, 0, 0, 10, 20, 30])
        palette.putpixel((0, 0), 0)
        palette.save(path, transparency=0)
        kept = (10, 20, 30)
    elif form.startswith("RGB "):
        colour = Image.new("RGB", (4, 4), (10, 20, 30))
        colour.putpixel((0, 0), (0, 0, 0))
        colour.save(path, transparency=(0, 0, 0))
        kept = (10, 20, 30)
    else:
        layered = Image.new("RGBA", (4, 4), (10, 10, 10, 255))
        layered.putpixel((0, 0), (0, 0, 0, 0))
        layered.convert(form).save(path)
        kept = (10, 10, 10)
    pixels, notes = opened(path)
    assert tuple(pixels[0, 0]) == (255, 255, 255)
    assert tuple(pixels[1, 1]) == kept
    assert notes == ("transparent pixels laid over white",)


def test_an_opaque_alpha_channel_is_dropped_without_a_word(tmp_path):
    pixels, notes = opened(save(picture().convert("RGBA"), tmp_path / "a.png"))
    np.testing.assert_array_equal(pixels, np.asarray(picture()))
    assert notes == ()


def test_cmyk_keeps_its_colours(tmp_path):
    pixels, notes = opened(save(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path / "a.tif"))
    assert tuple(pixels[4, 4]) == (255, 0, 0)
    assert notes == ("CMYK made RGB without its colour profile",)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(("top", "name"), [(65535, "16-bit"), (4095, "12-bit")])
def test_sixteen_bit_grey_keeps_its_levels(tmp_path, suffix, top, name):
    ramp = np.linspace(0, top, 256).round().astype(np.uint16).reshape(16, 16)
    pixels, notes = opened(save(Image.fromarray(ramp), tmp_path / f"a.{suffix}"))
    np.testing.assert_array_equal(pixels[..., 0].ravel(), np.arange(256))
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 2])
    assert notes == (f"16-bit grey read as {name} (largest value {top})",)


def test_big_endian_grey_is_read_alike(tmp_path):
    ramp = np.linspace(0, 65535, 256).round().astype(">u2").reshape(16, 16)
    path = save(Image.frombytes("I;16B", (16, 16), ramp.tobytes()), tmp_path / "a.tif")
    np.testing.assert_array_equal(opened(path)[0][..., 1].ravel(), np.arange(256))


@pytest.mark.parametrize(("top", "name"), [(1.0, "0..1"), (255.0, "0..255"), (65535.0, "16-bit")])
def test_float_grey_is_read_by_the_range_it_fits(tmp_path, top, name):
    ramp = np.linspace(0, top, 256, dtype=np.float32).reshape(16, 16)
    pixels, notes = opened(save(Image.fromarray(ramp), tmp_path / "a.tif"))
    np.testing.assert_array_equal(pixels[..., 0].ravel(), np.arange(256))
    assert name in notes[0]


@pytest.mark.parametrize("value", [-3.0, 1e9, float("nan"), float("inf")])
def test_float_grey_of_unknown_range_is_refused(tmp_path, value):
    values = np.full((4, 4), 0.5, dtype=np.float32)
    values[2, 2] = value
    path = save(Image.fromarray(values), tmp_path / "a.tif")
    with pytest.raises(ImageUnreadable, match="save it as 8-bit or 16-bit grey"):
        ImageStore().open(path)


@pytest.mark.parametrize("suffix", ["gif", "tif", "webp", "png"])
def test_the_first_of_several_frames_is_taken_and_said_so(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "lime", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(frames[0], tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], **options)
    pixels, notes = opened(path)
    assert tuple(pixels[4, 4]) == (255, 0, 0)
    assert notes == ("first of 3 frames",)


def test_one_pixel_is_a_picture(tmp_path):
    assert opened(save(Image.new("RGB", (1, 1), "red"), tmp_path / "a.png"))[0].shape == (1, 1, 3)


def test_a_missing_file(tmp_path):
    with pytest.raises(ImageMissing, match="check the path"):
        ImageStore().open(tmp_path / "none.png")
    save(picture(), tmp_path / "a.png")
    with pytest.raises(ImageMissing, match="check the path"):
        ImageStore().open(tmp_path / "a.png" / "b.png")


@pytest.mark.parametrize("name", ["a\0b.png", "x" * 5000, "bad-\udcff.png"])
def test_an_impossible_file_name_is_one_short_line(tmp_path, name):
    with pytest.raises(ImageError) as caught:
        ImageStore().open(f"{tmp_path}/{name}")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_a_name_in_a_legacy_encoding_is_refused_with_the_remedy(tmp_path):
    path = os.fsencode(tmp_path) + b"/gr\xfcn.png"
    Path(os.fsdecode(path)).write_bytes(encode_png(np.asarray(picture())))
    with pytest.raises(ImageUnreadable, match="rename the file"):
        ImageStore().open(os.fsdecode(path))


def test_a_file_name_cannot_drive_the_terminal(tmp_path):
    with pytest.raises(ImageMissing) as caught:
        ImageStore().open(tmp_path / "a\n\x1b[31mred.png")
    assert str(caught.value).isprintable()


def test_a_folder(tmp_path):
    with pytest.raises(ImageUnreadable, match="is a folder"):
        ImageStore().open(tmp_path)


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageUnreadable, match="save the picture to a file"):
        ImageStore().open(tmp_path / "pipe.png")


def test_zero_bytes(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(ImageUnreadable, match="0 bytes"):
        ImageStore().open(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "bmp", "webp", "gif"])
def test_a_truncated_file(tmp_path, suffix):
    path = save(picture(400, 300), tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageUnreadable):
        ImageStore().open(path)


@pytest.mark.parametrize("content", [b"not a picture\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageUnreadable, match="is not a picture that can be decoded"):
        ImageStore().open(tmp_path / "a.png")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    path = save(picture(), tmp_path / "a.png")
    path.chmod(0)
    with pytest.raises(ImageUnreadable, match="permission"):
        ImageStore().open(path)


def test_no_permission_seen_by_anyone(tmp_path, monkeypatch):
    path = save(picture(), tmp_path / "a.png")

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageUnreadable, match="give this user permission"):
        ImageStore().open(path)


@pytest.mark.parametrize("side", [9_000, 12_000, 20_000])
def test_a_huge_picture_is_refused_from_its_header(tmp_path, monkeypatch, side):
    """81, 144 and 400 million pixels: under Pillow's warning, over it, and over its error."""
    path = save(Image.new("1", (side, side)), tmp_path / "a.png")

    def decoded(*_args):
        raise AssertionError("the picture was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with pytest.raises(ImageTooLarge, match="scale it down"):
        ImageStore().open(path)


def test_a_picture_over_pillows_warning_opens_where_the_limit_allows_it(tmp_path):
    path = save(Image.new("1", (9_500, 9_500)), tmp_path / "a.png")
    assert ImageStore(max_pixels=100_000_000, cache_bytes=0).open(path).width_px == 9_500


@settings(max_examples=150, deadline=None)
@given(data=st.data(), form=st.sampled_from(["JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP", "PPM", "JPEG2000"]))
def test_hostile_bytes_are_pictures_or_image_errors(tmp_path_factory, data, form):
    content = io.BytesIO()
    picture().save(content, form)
    damaged = bytearray(content.getvalue())
    for place, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)), min_size=1, max_size=12)
    ):
        damaged[place] = byte
    path = tmp_path_factory.getbasetemp() / "hostile"
    path.write_bytes(damaged[: data.draw(st.integers(1, len(damaged)))])
    store, said = ImageStore(max_pixels=1_000_000), ""
    try:
        ref = store.open(path)
    except ImageError as error:
        said = str(error)
    else:
        assert store.pixels(ref).size <= 3_000_000
    assert not said or said.isprintable()


def test_an_evicted_image_is_decoded_again(tmp_path):
    store = ImageStore(cache_bytes=0)
    ref = store.open(save(picture(), tmp_path / "a.png"))
    np.testing.assert_array_equal(store.pixels(ref), np.asarray(picture()))
    (tmp_path / "a.png").unlink()
    with pytest.raises(ImageMissing):
        store.pixels(ref)


def test_a_file_that_changed_since_is_not_taken_for_the_same(tmp_path):
    store = ImageStore(cache_bytes=0)
    ref = store.open(save(picture(), tmp_path / "a.png"))
    save(Image.new("RGB", (40, 30)), tmp_path / "a.png")
    with pytest.raises(ImageUnreadable, match="changed since it was opened"):
        store.pixels(ref)


def test_the_cache_is_bounded_in_bytes():
    cache = ArrayCache(250)
    for key in "abc":
        cache.put(key, np.zeros(100, dtype=np.uint8))
    assert cache.get("a") is None
    assert cache.get("b") is not None  # and so the last used
    cache.put("d", np.zeros(100, dtype=np.uint8))
    assert (cache.get("c"), cache.held_bytes) == (None, 200)
    cache.put("huge", np.zeros(251, dtype=np.uint8))
    assert cache.get("huge") is None
    assert cache.get("b") is not None
    cache.put("b", np.zeros(50, dtype=np.uint8))
    assert cache.held_bytes == 150


def test_threads_share_a_store(tmp_path):
    images = [Image.new("RGB", (64, 64), (i * 20, 0, 0)) for i in range(6)]
    paths = [save(image, tmp_path / f"{i}.png") for i, image in enumerate(images)]
    store, wrong = ImageStore(cache_bytes=3 * 64 * 64 * 3), []

    def work():
        for _ in range(20):
            for i, path in enumerate(paths):
                if store.pixels(store.open(path))[0, 0, 0] != i * 20:
                    wrong.append(i)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    "given_array",
    [
        np.arange(48, dtype=np.uint8).reshape(4, 4, 3),
        np.arange(64, dtype=np.uint8).reshape(4, 4, 4) | 240,
        np.arange(16, dtype=np.uint8).reshape(4, 4),
        np.arange(16, dtype=np.uint16).reshape(4, 4) * 4000,
        np.arange(48, dtype=np.uint8).reshape(4, 4, 3)[::-1, ::2],
    ],
    ids=["RGB", "RGBA", "grey", "16-bit grey", "a view"],
)
def test_an_image_from_memory_can_be_read_by_another_process(tmp_path, given_array):
    first = ImageStore(spool=tmp_path / "spool")
    ref = first.add(given_array, "frame 7")
    assert ref.notes[0] == "given in memory as 'frame 7'"
    assert Path(ref.path).name == f"{ref.sha256}.png"
    np.testing.assert_array_equal(ImageStore().pixels(ref), first.pixels(ref))
    assert first.add(given_array, "again").sha256 == ref.sha256
    assert len(list((tmp_path / "spool").iterdir())) == 1


def test_what_a_caller_does_to_an_added_array_later_is_its_own_affair(tmp_path):
    store, array = ImageStore(spool=tmp_path), np.zeros((4, 4, 3), dtype=np.uint8)
    ref = store.add(array, "frame")
    array[:] = 9
    assert store.pixels(ref).max() == 0


def test_a_pillow_image_can_be_added(tmp_path):
    store = ImageStore(spool=tmp_path)
    np.testing.assert_array_equal(store.pixels(store.add(picture(), "a")), np.asarray(picture()))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), dtype=np.float32),
        np.zeros((4, 4, 2), dtype=np.uint8),
        np.zeros((4, 4, 3), dtype=np.uint16),
        np.zeros((0, 4, 3), dtype=np.uint8),
        np.zeros((1, 4, 4, 3), dtype=np.uint8),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_an_array_that_is_no_image_is_refused(tmp_path, array):
    with pytest.raises(ValueError, match="must be uint8"):
        ImageStore(spool=tmp_path).add(array, "frame")


def test_images_from_memory_keep_to_the_limits(tmp_path):
    with pytest.raises(ImageTooLarge):
        ImageStore(max_pixels=10, spool=tmp_path).add(picture(), "frame")
    with pytest.raises(ImageUnreadable, match="no pixels"):
        ImageStore(spool=tmp_path).add(Image.new("RGB", (0, 5)), "frame")
    with pytest.raises(ValueError, match="spool"):
        ImageStore().add(picture(), "frame")
    with pytest.raises(ValueError, match="max_pixels"):
        ImageStore(max_pixels=0)


def test_a_spool_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="make the folder writable"):
        ImageStore(spool=tmp_path / "file").add(picture(), "frame")


def test_png_is_lossless_and_jpeg_is_near():
    pixels = np.asarray(picture())
    decoded = np.asarray(Image.open(io.BytesIO(encode_png(pixels))))
    np.testing.assert_array_equal(decoded, pixels)
    near = np.asarray(Image.open(io.BytesIO(encode_jpeg(pixels, 95)))).astype(int)
    assert np.abs(near - pixels).mean() < 4
    assert len(encode_jpeg(pixels, 30)) < len(encode_jpeg(pixels, 95))


def test_data_uris_name_their_format():
    pixels = np.asarray(picture())
    assert data_uri(pixels).startswith("data:image/png;base64,iVBORw0KGgo")
    assert data_uri(pixels, "jpeg").startswith("data:image/jpeg;base64,/9j/")


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_only_rgb_is_encoded(shape):
    with pytest.raises(ValueError, match="expected RGB uint8"):
        encode_png(np.zeros(shape, dtype=np.uint8))
    with pytest.raises(ValueError, match="quality"):
        encode_jpeg(np.zeros((4, 4, 3), dtype=np.uint8), 0)


def test_the_hash_is_over_size_and_pixels():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert content_hash(pixels) == hashlib.sha256(b"4x2:" + bytes(range(24))).hexdigest()
    assert content_hash(pixels) != content_hash(pixels.reshape(4, 2, 3))
