"""What differs between two reports."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings

from graphs.differences import (
    CheckChange,
    DeviationChange,
    Differences,
    KeptDefect,
    ReadingChange,
    differences,
)
from graphs.report import Check, Defect, DefectReport, Deviation, Fault, TraceEntry
from tools.types import Calibration, ExpertReading, ImageRef

HUGE = 10**15


def image(digit: str = "a", side: int = HUGE) -> ImageRef:
    return ImageRef(path=f"{digit}.png", sha256=digit * 64, width_px=side, height_px=side)


def defect(box: tuple[int, int, int, int] | None, type_: str = "spur", **update: object) -> Defect:
    plain = Defect(
        type=type_,
        description="d",
        box_xyxy_px=box,
        cell=None,
        area_fraction=None,
        severity="unknown",
        confidence=0.8,
        support="expert_only",
    )
    return plain.model_copy(update=update)


def reading(score: float, expert: str = "pair") -> ExpertReading:
    limits = Calibration(
        method="m",
        normals=3,
        centre=1.0,
        spread=0.5,
        uncertain_from=2.0,
        anomalous_from=4.0,
        reliability="high",
        reliability_reason="r",
    )
    return ExpertReading(
        expert=expert,
        score=score,
        threshold=4.0,
        position=limits.position(score),
        zone=limits.zone(score),
        calibration=limits,
        seconds=0.1,
    )


def report(*defects: Defect, **update: object) -> DefectReport:
    plain = DefectReport(
        image=image(),
        template=image("b"),
        product="board",
        verdict="anomalous" if defects else "normal",
        confidence=0.9,
        reasoner="evidence",
        summary="s",
        defects=defects,
    )
    return DefectReport.model_validate(plain.model_copy(update=update).model_dump())


def mirrored(diff: Differences) -> Differences:
    """The same differences, told from the other side."""

    def turned(check: CheckChange) -> CheckChange:
        return CheckChange(
            done=check.done[::-1],
            deviations=tuple(DeviationChange(before=d.after, after=d.before) for d in check.deviations),
        )

    pairs = ("image", "template", "product", "verdict", "confidence", "reasoner", "seconds")
    return diff.model_copy(
        update={name: getattr(diff, name)[::-1] for name in pairs}
        | {
            "readings": tuple(
                ReadingChange(expert=r.expert, before=r.after, after=r.before) for r in diff.readings
            ),
            "gone": diff.new,
            "new": diff.gone,
            "kept": tuple(KeptDefect(before=k.after, after=k.before, changed=k.changed) for k in diff.kept),
            "layout": turned(diff.layout),
            "print": turned(diff.print),
            "cited_gone": diff.cited_new,
            "cited_new": diff.cited_gone,
            "faults_gone": diff.faults_new,
            "faults_new": diff.faults_gone,
        }
    )


def unordered(diff: Differences) -> dict[str, object]:
    """The same differences without the order in which they are told, which follows the earlier report."""
    told = diff.model_dump()
    for name in ("readings", "kept"):
        told[name] = sorted(map(repr, told[name]))
    for name in ("layout", "print"):
        told[name]["deviations"] = sorted(map(repr, told[name]["deviations"]))
    return told


corners = st.integers(0, 30) | st.integers(0, HUGE - 1)
boxes = st.tuples(corners, corners, corners, corners).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]) + 1, max(c[1], c[3]) + 1)
)
wild_boxes = st.tuples(*[st.integers(-(10**20), 10**20) | st.integers(-3, 3)] * 4)
defects = st.builds(
    defect,
    boxes | st.none(),
    st.sampled_from(["spur", "Spur", "短路", "\x1b[31m"]),
    severity=st.sampled_from(["minor", "critical"]),
    confidence=st.sampled_from([0.0, 0.5, 1.0]),
)
deviations = st.builds(
    Deviation,
    id=st.sampled_from(["layout:1", "layout:2"]),
    kind=st.sampled_from(["missing", "turned"]),
    component=st.sampled_from(["via", "pad"]),
    description=st.just("d"),
    box_xyxy_px=wild_boxes | boxes | st.none(),
    found=st.sampled_from(["", "7"]),
    decisive=st.booleans(),
)
checks = st.none() | st.builds(
    Check, done=st.booleans(), note=st.just("n"), deviations=st.lists(deviations, max_size=5).map(tuple)
)
reports = st.builds(
    lambda found, **update: report(*found, **update),
    st.lists(defects, max_size=6),
    image=st.sampled_from([image(), image("c")]),
    template=st.sampled_from([None, image("b")]),
    readings=st.lists(
        st.builds(reading, st.sampled_from([0.0, 3.0, 9.0, 1e300]), st.sampled_from(["pair", "patchcore"])),
        max_size=3,
    ).map(tuple),
    layout=checks,
    print=checks,
    faults=st.lists(
        st.builds(Fault, step=st.sampled_from("ab"), kind=st.just("k"), message=st.text(max_size=3)),
        max_size=3,
    ).map(tuple),
)


@given(reports)
@settings(max_examples=100, deadline=None)
def test_a_report_does_not_differ_from_itself(one):
    diff = differences(one, one)
    assert diff.same
    assert len(diff.kept) == len(one.defects)
    assert all(kept.before == kept.after for kept in diff.kept)


@given(reports, reports)
@settings(max_examples=200, deadline=None)
def test_differences_mirror_when_the_reports_are_swapped(one, other):
    diff = differences(one, other)
    assert unordered(differences(other, one)) == unordered(mirrored(diff))


@given(reports, reports)
@settings(max_examples=100, deadline=None)
def test_every_defect_is_gone_new_or_kept_and_is_told_once(one, other):
    diff = differences(one, other)
    earlier = [told.number for told in (*diff.gone, *(kept.before for kept in diff.kept))]
    later = [told.number for told in (*diff.new, *(kept.after for kept in diff.kept))]
    assert sorted(earlier) == list(range(1, len(one.defects) + 1))
    assert sorted(later) == list(range(1, len(other.defects) + 1))


def test_the_best_overlap_is_the_same_defect():
    before = report(defect((0, 0, 10, 10)), defect((4, 0, 14, 10)))
    after = report(defect((5, 0, 15, 10), severity="major"))
    diff = differences(before, after)
    assert [(kept.before.number, kept.after.number, kept.changed) for kept in diff.kept] == [
        (2, 1, ("severity", "box"))
    ]
    assert [gone.number for gone in diff.gone] == [1]
    assert not diff.new


def test_boxes_that_hardly_overlap_are_two_defects():
    diff = differences(report(defect((0, 0, 10, 10))), report(defect((8, 0, 18, 10))))
    assert (len(diff.gone), len(diff.new), len(diff.kept)) == (1, 1, 0)


def test_a_defect_without_a_place_is_known_by_its_type():
    before = report(defect(None, "Scratch"), defect(None, "dent"))
    after = report(defect((1, 1, 2, 2), "scratch"))
    diff = differences(before, after)
    assert [kept.changed for kept in diff.kept] == [("type", "box")]
    assert [gone.defect.type for gone in diff.gone] == ["dent"]


def test_an_expert_of_one_report_alone_is_told_and_an_unchanged_one_is_not():
    before = report(readings=(reading(1.0), reading(9.0, "patchcore")))
    after = report(readings=(reading(1.0 + 1e-9), reading(3.0, "anomalydino")))
    told = {change.expert: change for change in differences(before, after).readings}
    assert set(told) == {"patchcore", "anomalydino"}
    assert told["patchcore"].after is None
    assert (told["anomalydino"].before, told["anomalydino"].after.zone) == (None, "uncertain")


def test_a_deviation_that_becomes_decisive_is_told_and_one_that_is_numbered_anew_is_not():
    missing = Deviation(id="layout:1", kind="missing", component="via", description="d", found="7")
    extra = missing.model_copy(update={"kind": "extra", "id": "layout:2"})
    before = report(layout=Check(done=True, note="n", deviations=(missing, extra)))
    renumbered = extra.model_copy(update={"id": "layout:1", "description": "in other words"})
    decisive = missing.model_copy(update={"id": "layout:2", "decisive": True})
    after = report(layout=Check(done=True, note="n", deviations=(renumbered, decisive)))
    (change,) = differences(before, after).layout.deviations
    assert (change.before, change.after) == (missing, decisive)


def test_a_check_that_was_not_made_is_not_one_that_found_nothing():
    diff = differences(report(layout=Check(done=True, note="n")), report())
    assert diff.layout.done == (True, None)
    assert not diff.same


def test_time_alone_is_no_difference():
    slow = report(trace=(TraceEntry(step="measure", seconds=9.0, detail="d"),))
    diff = differences(report(), slow)
    assert diff.same
    assert diff.seconds == (0.0, 9.0)


def test_another_picture_template_or_product_is_a_difference():
    one = report()
    assert not differences(one, report(image=image("c"))).same
    assert not differences(one, report(template=None)).same
    assert not differences(one, report(product=None)).same


def test_many_defects_are_compared_in_no_time():
    many = report(*(defect((9 * n, 0, 9 * n + 10, 10)) for n in range(300)))
    assert differences(many, many).same
