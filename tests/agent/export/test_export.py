"""Reports become files that other tools read, with every defect where it was measured."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.cli.main import Commands
from agent.errors import UsageError
from agent.export.coco import to_coco
from agent.export.label_studio import labelling_interface, to_task
from agent.export.labelme import to_labelme
from agent.export.masks import to_mask
from agent.export.shapes import ContradictoryReport, shapes
from graphs.report import Defect, DefectReport
from tools.regions import find_regions
from tools.types import Calibration, ExpertReading, ImageRef

WIDTH, HEIGHT = 120, 90
SHA = "a" * 64


def measured_map() -> np.ndarray:
    values = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
    cv2.circle(values, (30, 30), 9, 9.0, -1)
    cv2.ellipse(values, (80, 50), (18, 6), 30, 0, 360, 7.0, -1)
    values[70:74, 10:14] = 5
    return values


def defect(kind: str, box: tuple[int, int, int, int] | None, *evidence: str, **changes) -> Defect:
    values = {
        "type": kind,
        "description": f"a {kind}",
        "box_xyxy_px": box,
        "cell": None,
        "area_fraction": None,
        "severity": "major",
        "confidence": 0.75,
        "support": "expert_only",
        "evidence": evidence,
    }
    return Defect(**(values | changes))


def report(path: str = "line/part 1.png", sha256: str = SHA, **changes) -> DefectReport:
    regions = find_regions(measured_map(), low=4, high=4)
    calibration = Calibration(
        method="test",
        normals=1,
        centre=1,
        spread=1,
        uncertain_from=2,
        anomalous_from=3,
        reliability="low",
        reliability_reason="test",
    )
    reading = ExpertReading(
        expert="pair",
        score=9,
        threshold=3,
        position=8,
        zone="anomalous",
        calibration=calibration,
        regions=regions,
        seconds=0.1,
    )
    grown = regions[0].box
    values = {
        "image": ImageRef(path=path, sha256=sha256, width_px=WIDTH, height_px=HEIGHT),
        "template": None,
        "product": None,
        "verdict": "anomalous",
        "confidence": 0.9,
        "reasoner": "evidence",
        "summary": "three regions differ",
        "defects": (
            defect(
                "stain",
                (grown.x0 - 3, grown.y0 - 3, grown.x1 + 3, grown.y1 + 3),
                "reading:pair",
                "region:pair:1",
            ),
            defect("scratch", regions[1].box.xyxy, "reading:pair", "region:pair:2"),
            defect("burr", (100, 5, 110, 12), support="vlm_only"),
            defect("odd look", None),
        ),
        "readings": (reading,),
        "versions": {"inspection-agent": "9.9"},
    }
    return DefectReport(**(values | changes))


def test_coco_holds_every_defect_with_its_box_and_exact_outline():
    data = to_coco([("part 1.png", report())], {"inspection-agent": "9.9", "a": "1"})
    assert data["info"]["version"] == "9.9"
    assert data["info"]["versions"] == {"a": "1", "inspection-agent": "9.9"}
    (image,) = data["images"]
    assert (image["file_name"], image["width"], image["height"]) == ("part 1.png", WIDTH, HEIGHT)
    names = {category["id"]: category["name"] for category in data["categories"]}
    assert names == {1: "burr", 2: "scratch", 3: "stain"}
    found = data["annotations"]
    assert [names[a["category_id"]] for a in found] == ["stain", "scratch", "burr"]
    assert [a["id"] for a in found] == [1, 2, 3]
    x, y, width, height = found[0]["bbox"]
    assert (x, y, x + width, y + height) == report().defects[0].box_xyxy_px
    stain, _, burr = found
    assert burr["segmentation"] == [[100, 5, 110, 5, 110, 12, 100, 12]]
    assert (burr["bbox"], burr["area"], burr["measured_outline"]) == ([100, 5, 10, 7], 70, False)
    assert (stain["score"], stain["severity"], stain["iscrowd"]) == (0.75, "major", 0)
    assert stain["area"] == (measured_map() == 9).sum()
    json.dumps(data, allow_nan=False)


def test_coco_counts_on_over_many_reports_and_is_the_same_twice():
    reports = [("a.png", report()), ("b.png", report(defects=(defect("dent", (1, 1, 5, 5)),)))]
    data = to_coco(reports, {})
    assert [a["id"] for a in data["annotations"]] == [1, 2, 3, 4]
    assert [a["image_id"] for a in data["annotations"]] == [1, 1, 1, 2]
    assert json.dumps(data) == json.dumps(to_coco(iter(reports), {}))


def test_coco_names_good_parts_too():
    good = report(verdict="normal", defects=(), readings=())
    data = to_coco([("good.png", good)], {})
    assert data["images"][0]["verdict"] == "normal"
    assert data["annotations"] == data["categories"] == []


def test_coco_is_read_by_its_own_tools():
    pytest.importorskip("pycocotools")
    from pycocotools import mask

    for annotation in to_coco([("part.png", report())], {})["annotations"]:
        runs = mask.merge(mask.frPyObjects(annotation["segmentation"], HEIGHT, WIDTH))
        assert abs(int(mask.area(runs)) - annotation["area"]) <= 0.1 * annotation["area"]


def test_label_studio_places_in_percent_give_the_pixels_back():
    task = to_task("http://host/part 1.png", report())
    (prediction,) = task["predictions"]
    assert task["data"]["image"] == "http://host/part 1.png"
    assert prediction["model_version"] == "inspection-agent 9.9 (evidence)"
    assert prediction["score"] == 0.9
    verdict, *results = prediction["result"]
    assert verdict["value"] == {"choices": ["anomalous"]}
    assert [r["type"] for r in results] == [
        "rectanglelabels",
        "polygonlabels",
        "rectanglelabels",
        "polygonlabels",
        "rectanglelabels",
    ]
    assert len({r["id"] for r in prediction["result"]}) == len(prediction["result"])
    place = results[0]["value"]
    x, y = place["x"] * WIDTH / 100, place["y"] * HEIGHT / 100
    right, bottom = x + place["width"] * WIDTH / 100, y + place["height"] * HEIGHT / 100
    assert (x, y, right, bottom) == pytest.approx(report().defects[0].box_xyxy_px)
    points = np.array(results[1]["value"]["points"]) * (WIDTH / 100, HEIGHT / 100)
    np.testing.assert_allclose(points, shapes(report())[0].polygons[0], atol=1e-9)
    assert all(0 <= value <= 100 for point in results[1]["value"]["points"] for value in point)
    assert (results[0]["original_width"], results[0]["original_height"]) == (WIDTH, HEIGHT)


def test_the_labelling_interface_has_every_label_and_survives_hostile_names():
    hostile = '<a "b" & \x1b\u202e>'
    task = to_task("x.png", report(defects=(defect(hostile, (1, 1, 5, 5)),)))
    tree = ET.fromstring(labelling_interface([hostile, "scratch"]))
    labels = {label.get("value") for label in tree.find("RectangleLabels")}
    (used,) = task["predictions"][0]["result"][1]["value"]["rectanglelabels"]
    assert used in labels
    assert "scratch" in labels
    names = {tag.get("name") for tag in tree}
    assert {result["from_name"] for result in task["predictions"][0]["result"]} <= names


def test_labelme_has_polygons_where_measured_and_rectangles_elsewhere():
    data = to_labelme("../part.png", report())
    assert (data["imagePath"], data["imageWidth"], data["imageHeight"]) == ("../part.png", WIDTH, HEIGHT)
    assert data["imageData"] is None
    stain, scratch, burr = data["shapes"]
    assert (stain["label"], stain["shape_type"], stain["group_id"]) == ("stain", "polygon", 1)
    assert (scratch["label"], scratch["shape_type"]) == ("scratch", "polygon")
    assert (burr["shape_type"], burr["points"]) == ("rectangle", [[100, 5], [110, 12]])


def test_a_mask_is_white_on_what_was_measured_and_on_boxes():
    mask = to_mask(report())
    assert mask.shape == (HEIGHT, WIDTH)
    assert set(np.unique(mask)) == {0, 255}
    np.testing.assert_array_equal(mask[15:46, 15:46] == 255, measured_map()[15:46, 15:46] == 9)
    assert (mask[5:12, 100:110] == 255).all()
    ellipse = measured_map() == 7
    assert abs(int((mask[35:70, 55:100] == 255).sum()) - int(ellipse.sum())) <= 0.02 * ellipse.sum()


def test_a_numbered_mask_shows_the_first_of_overlapping_defects():
    overlapping = (defect("a", (10, 10, 20, 20)), defect("b", None), defect("c", (15, 15, 30, 30)))
    mask = to_mask(report(defects=overlapping), numbered=True)
    assert (mask[10, 10], mask[17, 17], mask[25, 25], mask[0, 0]) == (1, 1, 3, 0)


def test_a_defect_of_two_regions_has_two_outlines():
    both = defect("stain", (5, 5, 100, 80), "region:pair:1", "region:pair:2")
    (shape,) = shapes(report(defects=(both,)))
    assert len(shape.polygons) == 2
    (annotation,) = to_coco([("a", report(defects=(both,)))], {})["annotations"]
    assert len(annotation["segmentation"]) == 2


@pytest.mark.parametrize("evidence", ["region:pair:0", "region:pair:99", "region:other:1"])
def test_a_defect_that_rests_on_nothing_is_named(evidence):
    with pytest.raises(ContradictoryReport, match=r"defect 1 rests on region:.* does not hold"):
        shapes(report(defects=(defect("stain", (1, 1, 5, 5), evidence),)))


def test_a_region_outside_the_image_is_named():
    small = ImageRef(path="x.png", sha256=SHA, width_px=60, height_px=60)
    with pytest.raises(ContradictoryReport, match="does not lie in the image of 60x60"):
        shapes(report(image=small, defects=(defect("s", (1, 1, 5, 5), "region:pair:2"),)))
    with pytest.raises(ContradictoryReport, match="larger than can be exported"):
        to_mask(report(image=ImageRef(path="x", sha256=SHA, width_px=10**6, height_px=10**6)))


def test_more_defects_than_a_mask_can_number_are_refused():
    many = tuple(defect("d", (1, 1, 3, 3)) for _ in range(256))
    with pytest.raises(UsageError, match="255"):
        to_mask(report(defects=many), numbered=True)
    assert to_mask(report(defects=many)).max() == 255


@pytest.fixture
def export(agent, monkeypatch):
    """Run `agent export ...`."""
    monkeypatch.setitem(Commands.places, "export", ("agent.cli.export:export", "Export reports."))
    return lambda *arguments: agent("export", *arguments)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder as `agent inspect --out` leaves it, with three parts."""
    for name in ("part 1", "part 2", "good"):
        changes = {"verdict": "normal", "defects": (), "readings": ()} if name == "good" else {}
        folder = tmp_path / "reports" / name
        folder.mkdir(parents=True)
        folder.joinpath("report.json").write_text(report(f"line/{name}.png", **changes).model_dump_json())
    return tmp_path / "reports"


def test_a_folder_of_reports_becomes_one_coco_file(export, kept, tmp_path):
    out = tmp_path / "defects.json"
    ran = export(kept, "--format", "coco", "--out", out)
    assert ran.status == 0
    assert ran.out == ""
    assert "3 report(s) written" in ran.err
    assert "2 defect(s) without a place were left out" in ran.err
    data = json.loads(out.read_bytes())
    assert [i["file_name"] for i in data["images"]] == ["line/good.png", "line/part 1.png", "line/part 2.png"]
    assert "inspection-agent" in data["info"]["versions"]
    first = out.read_bytes()
    # The same reports, named one by one and twice, in another order.
    files = sorted(kept.rglob("report.json"), reverse=True)
    assert export(*files, kept, "--format", "coco", "--out", out, "--quiet").err == ""
    assert out.read_bytes() == first


def test_label_studio_gets_tasks_and_an_interface(export, kept, tmp_path):
    out = tmp_path / "new" / "tasks.json"
    ran = export(kept, "-f", "label-studio", "-o", out, "--image-prefix", "http://host/images/")
    assert ran.status == 0
    tasks = json.loads(out.read_bytes())
    assert [task["data"]["image"] for task in tasks][:2] == [
        "http://host/images/good.png",
        "http://host/images/part 1.png",
    ]
    tree = ET.parse(out.with_suffix(".xml"))
    assert {label.get("value") for label in tree.iter("Label")} == {"stain", "scratch", "burr", "odd look"}


def test_masks_and_labelme_files_are_named_as_the_images(export, kept, tmp_path):
    assert export(kept, "-f", "mask", "-o", tmp_path / "masks").status == 0
    assert export(kept, "-f", "labelme", "-o", tmp_path / "labelme").status == 0
    assert sorted(p.name for p in (tmp_path / "masks").iterdir()) == ["good.png", "part 1.png", "part 2.png"]
    mask = cv2.imread(str(tmp_path / "masks" / "part 1.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, to_mask(report()))
    assert cv2.imread(str(tmp_path / "masks" / "good.png"), cv2.IMREAD_UNCHANGED).max() == 0
    shown = json.loads((tmp_path / "labelme" / "part 2.json").read_bytes())
    assert shown["imagePath"] == "line/part 2.png"


def test_equal_names_in_two_folders_do_not_overwrite_each_other(export, kept, tmp_path):
    twin = tmp_path / "more" / "part 1"
    twin.mkdir(parents=True)
    twin.joinpath("report.json").write_text(report("other/part 1.png").model_dump_json())
    assert export(kept, tmp_path / "more", "-f", "mask", "-o", tmp_path / "masks").status == 0
    assert len(list((tmp_path / "masks").glob("part 1-*.png"))) == 2
    # A prefix would give both images one name.
    ran = export(kept, tmp_path / "more", "-f", "coco", "-o", tmp_path / "c.json", "--image-prefix", "p")
    assert ran.status == 2
    assert "are both of the image p/part 1.png" in ran.complaint
    assert not (tmp_path / "c.json").exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is not whole JSON"),
        ('{"schema_version": 1, "image"', "is not whole JSON"),
        ("[" * 100_000, "is not whole JSON"),
        ("\xff\xfe", "is not whole JSON"),
        ("[1, 2]", "is not a report"),
        ('{"verdict": null}', "is not a report"),
        ('{"schema_version": 2}', "has schema version 2, this program reads 1"),
        ('{"schema_version": 1}', "is not a sound report"),
        ('{"schema_version": 1, "confidence": NaN}', "is not a sound report"),
    ],
)
def test_bad_reports_are_one_line_and_leave_nothing(export, tmp_path, content, complaint):
    file = tmp_path / "report.json"
    file.write_bytes(content.encode("latin-1"))
    for form, out in (("coco", "c.json"), ("mask", "masks")):
        ran = export(file, "-f", form, "-o", tmp_path / out)
        assert ran.status == 2
        assert len(ran.err.strip().splitlines()) == 1
        assert complaint in ran.complaint
        assert str(file) in ran.complaint
        assert not (tmp_path / out).exists()


def test_a_contradictory_report_is_named_by_its_file(export, tmp_path):
    file = tmp_path / "report.json"
    broken = report(defects=(defect("stain", (1, 1, 5, 5), "region:pair:9"),))
    file.write_text(broken.model_dump_json())
    for form, out in (("coco", "c.json"), ("label-studio", "c.json"), ("mask", "m"), ("labelme", "m")):
        ran = export(file, "-f", form, "-o", tmp_path / out)
        assert ran.status == 2
        assert f"{file}: defect 1 rests on region:pair:9" in ran.complaint


def test_misuse_is_told(export, kept, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for arguments, complaint in (
        ((tmp_path / "nothing", "-f", "coco", "-o", "c.json"), "does not exist"),
        ((tmp_path / "empty", "-f", "coco", "-o", "c.json"), "no report.json in"),
        ((kept, "-f", "coco", "-o", tmp_path), "writes one file whose name ends in .json"),
        ((kept, "-f", "label-studio", "-o", tmp_path / "t.xml"), "ends in .json"),
        ((kept, "-f", "mask", "-o", tmp_path / "file"), "is a file"),
        ((kept, "-f", "mask", "-o", tmp_path / "file" / "deeper"), "cannot write"),
        ((kept, "-f", "coco", "-o", tmp_path / "c.json", "--numbered"), "--numbered goes with"),
        ((kept, "-f", "yolo", "-o", "c.json"), "yolo"),
        (("-f", "coco", "-o", "c.json"), "Missing argument"),
    ):
        ran = export(*arguments)
        assert ran.status == 2, arguments
        assert complaint in ran.complaint


def test_what_inspect_keeps_can_be_exported(agent, export, examples, tmp_path):
    board = examples / "bare_pcb"
    query = next(path for path in sorted(board.glob("*.*")) if "good" not in path.stem)
    good = next(path for path in sorted(board.glob("*.*")) if "good" in path.stem)
    kept = tmp_path / "reports"
    agent("inspect", "-i", query, "-t", good, "--out", kept, "--reasoner", "evidence", "-q")
    for form, out in (("coco", "c.json"), ("label-studio", "t.json"), ("labelme", "l"), ("mask", "m")):
        assert export(kept, "-f", form, "-o", tmp_path / out).status == 0
    (annotation, *_) = json.loads((tmp_path / "c.json").read_bytes())["annotations"]
    assert annotation["measured_outline"]
    (mask_file,) = (tmp_path / "m").iterdir()
    assert (cv2.imread(str(mask_file), cv2.IMREAD_UNCHANGED) > 0).sum() >= annotation["area"]
    (shown,) = (tmp_path / "l").iterdir()
    assert (tmp_path / "l" / json.loads(shown.read_bytes())["imagePath"]).resolve() == query.resolve()
