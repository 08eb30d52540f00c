"""What a user may narrow or move: region of interest, sensitivity, threshold, marked defects."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from agent import Inspector
from tools.errors import MaskUnusable


@pytest.fixture(scope="module")
def inspector(data_dir):
    with Inspector.from_settings(data_dir=data_dir) as inspector:
        yield inspector


@pytest.fixture
def board(examples):
    return examples / "bare_pcb"


@pytest.fixture
def defect(inspector, board):
    """Box of the defect in the drawn board with a short."""
    report = inspector.inspect(board / "short.jpg", board / "good.jpg")
    assert report.verdict == "anomalous"
    return report.defects[0].box_xyxy_px


def report_of(agent, *arguments):
    ran = agent("inspect", *arguments, "--format", "json")
    assert ran.status == 0, ran.err
    return json.loads(ran.out)


@pytest.mark.parametrize("expert", ["pair", "patchcore"])
def test_a_defect_outside_the_region_of_interest_does_not_count(agent, board, defect, expert):
    x0, _, x1, _ = defect
    wide = cv2.imread(str(board / "short.jpg")).shape[1]
    away = f"0,0,{x0 - 40},400" if x0 > wide / 2 else f"{x1 + 40},0,{wide},400"
    given = ("-i", board / "short.jpg", "-t", board / "good.jpg", "--expert", expert)
    report = report_of(agent, *given, "--roi", away)
    assert report["readings"][0]["zone"] != "anomalous"
    assert all(not _meets(d["box_xyxy_px"], defect) for d in report["defects"] if d["box_xyxy_px"])


def test_a_defect_inside_the_region_of_interest_is_found_there(inspector, board, defect):
    x0, y0, x1, y1 = defect
    inside = (max(0, x0 - 60), max(0, y0 - 60), x1 + 60, y1 + 60)
    report = inspector.inspect(board / "short.jpg", board / "good.jpg", roi=inside)
    assert report.verdict == "anomalous"
    assert all(_meets(found.box_xyxy_px, defect) for found in report.defects)


def test_a_mask_picture_and_its_box_give_the_same_answer(inspector, board, defect, tmp_path):
    x0, y0, x1, y1 = defect
    mask = np.zeros(cv2.imread(str(board / "short.jpg")).shape, np.uint8)
    mask[y0 - 30 : y1 + 30, x0 - 30 : x1 + 30] = 255
    cv2.imwrite(str(tmp_path / "roi.png"), mask)
    by_mask = inspector.inspect(board / "short.jpg", board / "good.jpg", roi=tmp_path / "roi.png")
    by_box = inspector.inspect(
        board / "short.jpg", board / "good.jpg", roi=(x0 - 30, y0 - 30, x1 + 30, y1 + 30)
    )
    assert by_mask.defects == by_box.defects
    assert by_mask.inspection_id != by_box.inspection_id


def test_what_lies_outside_is_greyed_in_the_pictures(inspector, board, defect, tmp_path):
    x0, y0, x1, y1 = defect
    roi = (x0 - 30, y0 - 30, x1 + 30, y1 + 30)
    report = inspector.inspect(board / "short.jpg", board / "good.jpg", roi=roi, out=tmp_path)
    query = cv2.imread(str(board / "short.jpg")).astype(float)
    overlay = cv2.imread(str(tmp_path / report.artifacts["overlay"])).astype(float)
    height = query.shape[0]
    overlay = overlay[:height]
    outside = np.ones(query.shape[:2], bool)
    outside[y0 - 40 : y1 + 40, x0 - 40 : x1 + 40] = False
    assert overlay[outside].std() < 0.5 * query[outside].std()


@pytest.mark.parametrize(
    ("roi", "complaint"),
    [
        ((0, 0, 9999, 10), "does not lie in the image"),
        ((30, 10, 30, 40), "x0 < x1"),
        ((-1, 0, 10, 10), "x0, y0, x1, y1"),
        (np.zeros((50, 90, 3), np.uint8), "has not the shape"),
    ],
)
def test_a_region_of_interest_that_does_not_fit_is_refused(inspector, board, roi, complaint):
    with pytest.raises(MaskUnusable, match=complaint):
        inspector.inspect(board / "short.jpg", board / "good.jpg", roi=roi)


def test_a_black_mask_is_refused(inspector, board):
    black = np.zeros_like(cv2.imread(str(board / "short.jpg")))
    with pytest.raises(MaskUnusable, match="black all over"):
        inspector.inspect(board / "short.jpg", board / "good.jpg", roi=black)


@pytest.mark.parametrize("roi", ["1,2,3,x", "1,2,3", "nowhere.png"])
def test_a_region_of_interest_that_cannot_be_read_is_one_line(agent, board, roi):
    ran = agent("inspect", "-i", board / "short.jpg", "-t", board / "good.jpg", "--roi", roi)
    assert ran.status == 2
    assert roi in ran.complaint


def test_a_threshold_of_the_user_decides_and_the_score_stays(agent, board):
    given = ("-i", board / "short.jpg", "-t", board / "good.jpg", "--expert", "pair")
    usual = report_of(agent, *given)["readings"][0]
    lenient = report_of(agent, *given, "--threshold", 2 * usual["score"])
    reading = lenient["readings"][0]
    assert reading["score"] == usual["score"]
    assert reading["threshold"] == pytest.approx(2 * usual["score"])
    assert reading["zone"] == "uncertain"
    assert "calibrated:" in reading["calibration"]["set_by_user"]
    assert lenient["verdict"] == "review"
    assert "Limits set by the user" in lenient["summary"]


def test_sensitivity_moves_both_limits_about_the_good_parts(agent, board):
    given = ("-i", board / "short.jpg", "-t", board / "good.jpg", "--expert", "pair")
    usual, doubled = (
        report_of(agent, *given, "--sensitivity", s)["readings"][0]["calibration"] for s in (1, 2)
    )
    for limit in ("uncertain_from", "anomalous_from"):
        reach = usual[limit] - usual["centre"]
        assert doubled[limit] == pytest.approx(usual["centre"] + reach / 2)
    assert usual["set_by_user"] is None


@pytest.mark.parametrize("sensitivity", [0, -1, "nan"])
def test_a_sensitivity_that_is_none_is_refused(agent, board, sensitivity):
    ran = agent("inspect", "-i", board / "short.jpg", "-t", board / "good.jpg", "--sensitivity", sensitivity)
    assert ran.status == 2
    assert "sensitivity" in ran.complaint


def _meets(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
