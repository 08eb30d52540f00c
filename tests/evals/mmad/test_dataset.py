"""What a reader of a data set in MMAD's format can rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evals.errors import DatasetInvalid
from evals.mmad.dataset import read_mmad, read_with_findings
from evals.mmad.untrusted_json import parsed_object
from evals.types import QUESTION_TYPES
from tests.evals.mmad_folder import write_mmad

KEY = "Parts/washer/image/scratch/000.png"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_mmad(tmp_path / "data", size_px=32)


def entries(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "mmad.json").read_text(encoding="utf-8")))


def rewrite(folder: Path, held: Any) -> Path:
    (folder / "mmad.json").write_text(json.dumps(held), encoding="utf-8")
    return folder


def kinds(folder: Path) -> list[tuple[str, int | None]]:
    return [(finding.kind, finding.number) for finding in read_with_findings(folder).findings]


def test_reads_what_is_written(folder: Path) -> None:
    benchmark = read_mmad(folder)
    assert [case.image for case in benchmark.cases] == list(entries(folder))
    assert benchmark.questions == len(benchmark.answers) == 3 * 9 + 3 * 5
    first = benchmark.cases[0]
    assert first.image == KEY
    assert (first.dataset, first.category) == ("Parts", "washer")
    assert first.path == folder / KEY
    assert first.truth == folder / "Parts/washer/mask/scratch/000_mask.png"
    assert {question.type for question in first.questions} == set(QUESTION_TYPES)
    assert first.templates("similar", 1) == (folder / "Parts/washer/train/good/000.png",)
    assert first.templates("random", 1) == (folder / "Parts/washer/train/good/001.png",)
    assert benchmark.cases[1].truth is None
    written = entries(folder)[KEY]["conversation"]
    assert [question.asked.options for question in first.questions] == [one["Options"] for one in written]
    assert [benchmark.answers[KEY, n] for n in range(1, 10)] == [one["Answer"] for one in written]
    every = [first.path, *first.random_templates, first.truth]
    assert all(path.is_file() for path in every)


def test_nothing_to_complain_of_in_a_sound_file(folder: Path) -> None:
    assert read_with_findings(folder).findings == ()


def test_cases_hold_no_right_answer(folder: Path) -> None:
    told = set(type(read_mmad(folder).cases[0].questions[0]).model_fields)
    assert told == {"number", "type", "asked"}


def test_another_file_beside_it(folder: Path) -> None:
    (folder / "mmad.json").rename(folder / "mine.json")
    assert read_mmad(folder, file="mine.json").questions == 42
    with pytest.raises(DatasetInvalid, match=r"there is no .*mmad\.json; name the folder"):
        read_mmad(folder)


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("type", "Defect Colour", "unknown type"),
        ("type", ["Anomaly Detection"], "unknown type"),
        ("type", None, "unknown type"),
        ("Answer", "E", "answer without option"),
        ("Answer", "a", "answer without option"),
        ("Answer", ["A"], "answer without option"),
        ("Answer", None, "answer without option"),
        ("Options", {"A": "Yes."}, "question unusable"),
        ("Options", {"1": "Yes.", "2": "No."}, "question unusable"),
        ("Options", {"A": "Yes.", "b": "No."}, "question unusable"),
        ("Options", {"A": "Yes.", "B": 0}, "question unusable"),
        ("Options", ["Yes.", "No."], "question unusable"),
        ("Options", {"A": "x" * 30_000, "B": "No."}, "question unusable"),
        ("Question", "  ", "question unusable"),
        ("Question", 7, "question unusable"),
        ("Question", "\ud800", "question unusable"),
    ],
)
def test_a_question_that_cannot_be_asked_is_left_out_and_listed(
    folder: Path, field: str, value: Any, kind: str
) -> None:
    held = entries(folder)
    held[KEY]["conversation"][2][field] = value
    rewrite(folder, held)
    benchmark = read_mmad(folder)
    assert kinds(folder) == [(kind, 3)]
    assert [question.number for question in benchmark.cases[0].questions] == [1, 2, 4, 5, 6, 7, 8, 9]
    assert (KEY, 3) not in benchmark.answers
    assert benchmark.questions == 41


def test_an_option_that_stands_twice_makes_a_question_unusable(folder: Path) -> None:
    text = (folder / "mmad.json").read_text(encoding="utf-8")
    (folder / "mmad.json").write_text(text.replace('"A":', '"B":', 1), encoding="utf-8")
    finding = read_with_findings(folder).findings[0]
    assert (finding.kind, finding.number) == ("question unusable", 1)
    assert "'B'" in finding.detail


def test_an_image_that_stands_twice_is_told_and_the_last_counts(folder: Path) -> None:
    text = (folder / "mmad.json").read_text(encoding="utf-8")
    twice = json.dumps({**entries(folder)[KEY], "mask_path": ""})
    (folder / "mmad.json").write_text(
        text.rstrip().removesuffix("}") + f', "{KEY}": {twice}}}', encoding="utf-8"
    )
    reading = read_with_findings(folder)
    assert [(finding.kind, finding.image) for finding in reading.findings] == [("key repeated", KEY)]
    assert reading.benchmark.cases[0].truth is None
    assert len(reading.benchmark.cases) == 6


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd/x.png",
        "../Parts/washer/image/scratch/000.png",
        "Parts/washer/../../../secret.png",
        "Parts\\washer\\image\\000.png",
        "C:/Parts/washer/000.png",
        "Parts/washer//000.png",
        "Parts/washer/./000.png",
        "Parts/washer/\0.png",
        "Parts/washer/\ud800.png",
        "",
    ],
)
def test_no_path_leaves_the_folder(folder: Path, path: str) -> None:
    held = entries(folder)
    held[path] = held[KEY]
    held[KEY]["random_templates"] = [path, "Parts/washer/train/good/000.png"]
    rewrite(folder, held)
    reading = read_with_findings(folder)
    assert path not in {case.image for case in reading.benchmark.cases}
    assert reading.benchmark.cases[0].random_templates == (folder / "Parts/washer/train/good/000.png",)
    assert [finding.kind for finding in reading.findings] == ["path leaves the folder"] * 2


@pytest.mark.parametrize("mask", ["../../../mask.png", "/mask.png"])
def test_no_mask_leaves_the_folder(folder: Path, mask: str) -> None:
    held = entries(folder)
    held[KEY]["mask_path"] = mask
    rewrite(folder, held)
    assert read_mmad(folder).cases[0].truth is None
    assert kinds(folder) == [("path leaves the folder", None)]


def test_no_link_leads_out_of_a_category(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "private.png").write_bytes(b"mine")
    (folder / KEY).unlink()
    (folder / KEY).symlink_to(tmp_path / "private.png")
    reading = read_with_findings(folder)
    assert KEY not in {case.image for case in reading.benchmark.cases}
    assert "leads out" in reading.findings[0].detail


def test_a_source_may_be_a_link_to_where_it_lies(folder: Path, tmp_path: Path) -> None:
    (folder / "Parts").rename(tmp_path / "elsewhere")
    (folder / "Parts").symlink_to(tmp_path / "elsewhere")
    assert read_with_findings(folder).findings == ()
    (tmp_path / "elsewhere/washer").rename(tmp_path / "washer")
    (tmp_path / "elsewhere/washer").symlink_to(tmp_path / "washer")
    assert read_with_findings(folder).findings == ()


def test_a_snapshot_of_the_hubs_cache_is_read(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "datasets--jiang-cc--MMAD"
    for name in ("blobs", "snapshots"):
        (cache / name).mkdir(parents=True)
    snapshot = folder.rename(cache / "snapshots" / "c0ffee")
    for index, path in enumerate(sorted(snapshot.rglob("*.png"))):
        path.rename(cache / "blobs" / f"{index:040x}")
        path.symlink_to(cache / "blobs" / f"{index:040x}")
    assert read_with_findings(snapshot).findings == ()
    (snapshot / KEY).unlink()
    (cache / "other").write_bytes(b"mine")
    (snapshot / KEY).symlink_to(cache / "other")
    assert kinds(snapshot) == [("path leaves the folder", None)]


def test_a_link_to_itself_does_not_hang_the_reader(folder: Path) -> None:
    (folder / KEY).unlink()
    (folder / KEY).symlink_to(folder / KEY)
    assert len(read_with_findings(folder).benchmark.cases) in (
        5,
        6,
    )  # by where the system says the circle ends


@pytest.mark.parametrize("value", [None, 3, "text", [1]])
def test_an_entry_of_another_form_is_left_out(folder: Path, value: Any) -> None:
    rewrite(folder, {**entries(folder), KEY: value})
    assert kinds(folder) == [("entry unusable", None)]
    assert len(read_mmad(folder).cases) == 5


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("random_templates", "Parts/washer/train/good/000.png", "template unusable"),
        ("similar_templates", [None], "template unusable"),
        ("mask_path", 5, "mask unusable"),
        ("image_path", "image/good/009.png", "key and image_path differ"),
        ("conversation", {}, "question unusable"),
        ("conversation", [], "question unusable"),
    ],
)
def test_wrong_fields_are_listed_and_the_image_stays(folder: Path, field: str, value: Any, kind: str) -> None:
    held = entries(folder)
    held[KEY][field] = value
    rewrite(folder, held)
    assert kinds(folder) == [(kind, None)]
    assert read_mmad(folder).cases[0].image == KEY


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON or was cut off"),
        (b'{"a": {"image_path"', "not JSON or was cut off"),
        (b"[]", "must hold an object of images, not a list"),
        (b"null", "not null"),
        (b"{}", "holds no question that can be asked"),
        (b'{"a/b/c.png": 1}', "faults: 1; the first: entry unusable: a/b/c.png: it must be an object"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[" * 200_000, "not a file of questions|not JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not a file of questions"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    ],
)
def test_a_file_that_is_no_data_set(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "mmad.json").write_bytes(content)
    with pytest.raises(DatasetInvalid, match=says) as raised:
        read_mmad(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_file_beyond_all_reason_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "mmad.json").open("wb") as file:
        file.truncate(3 << 30)  # sparse: takes no space
    with pytest.raises(DatasetInvalid, match=r"3\.2 GB"):
        read_mmad(tmp_path)


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "mmad.json").mkdir()
    with pytest.raises(DatasetInvalid, match="cannot be read"):
        read_mmad(tmp_path)


def test_a_byte_order_mark_is_no_fault(folder: Path) -> None:
    file = folder / "mmad.json"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert read_mmad(folder).questions == 42


def test_findings_cannot_drive_a_terminal(folder: Path) -> None:
    held = entries(folder)
    held["a/b/\x1b[2J\nx.png"] = 1
    held[KEY]["conversation"][0]["type"] = "\x1b[2J" + "x" * 10_000
    rewrite(folder, held)
    for finding in read_with_findings(folder).findings:
        assert (finding.image + finding.detail).isprintable()
        assert len(finding.detail) < 300


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
_FIELDS = ("conversation", "mask_path", "random_templates", "similar_templates", "image_path")
_ENTRY = st.dictionaries(
    st.sampled_from(_FIELDS),
    _JSON
    | st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "Question": _JSON,
                "Answer": st.sampled_from("ABC") | _JSON,
                "Options": st.dictionaries(st.sampled_from("ABC"), st.text(max_size=5)) | _JSON,
                "type": st.sampled_from(QUESTION_TYPES) | _JSON,
            },
        ),
        max_size=3,
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    held=st.dictionaries(
        st.sampled_from(["a/b/c.png", "a/b/d.png", "x", ".."]) | st.text(max_size=9), _ENTRY | _JSON
    )
)
def test_any_json_is_read_or_refused_in_one_line(tmp_path: Path, held: dict[str, Any]) -> None:
    (tmp_path / "mmad.json").write_text(json.dumps(held))
    try:
        benchmark = read_mmad(tmp_path)
    except DatasetInvalid as error:
        refused = str(error)
        benchmark = None
    if benchmark is None:
        assert "\n" not in refused
        return
    assert benchmark.questions == len(benchmark.answers) > 0
    for case in benchmark.cases:
        assert case.path.is_relative_to(tmp_path)
        for question in case.questions:
            assert benchmark.answers[case.image, question.number] in question.asked.options


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=40) | st.text(alphabet='{}[]":,a1', max_size=30).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    said = ""
    try:
        assert isinstance(parsed_object(tmp_path / "x.json"), dict)
    except DatasetInvalid as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.data
def test_real_boards_are_read_without_a_finding(boards_dir: Path) -> None:
    reading = read_with_findings(boards_dir / "mmad_deeppcb")
    assert reading.findings == ()
    assert len(reading.benchmark.cases) == 76
    assert reading.benchmark.questions == 304
