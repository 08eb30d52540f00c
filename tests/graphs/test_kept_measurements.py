"""A measurement of an earlier run is the same one, and the trace says that it was not made anew."""

from __future__ import annotations

from graphs.evidence import EvidenceReasoner
from graphs.inspection.perceive import KEPT, measure
from graphs.inspection.plan import PolicyPlanner
from graphs.inspection.state import InspectionState, Plan, Request
from graphs.inspection.step import Visit
from graphs.toolbox import Toolbox
from tools.artifacts import ArtifactStore
from tools.experts.bench import ExpertBench
from tools.experts.pair import PairExpert
from tools.experts.readings import ReadingShelf
from tools.image import ImageStore


def test_a_kept_measurement_is_the_same_and_said_to_be_kept(tmp_path, examples):
    board = examples / "bare_pcb"
    outcomes = []
    for run in ("first", "second"):
        images = ImageStore()
        toolbox = Toolbox(
            images=images,
            experts=ExpertBench([PairExpert()], images, readings=ReadingShelf(tmp_path / "readings")),
            artifacts=ArtifactStore(tmp_path / run),
            reasoner=EvidenceReasoner(),
            planner=PolicyPlanner(),
        )
        request = Request(
            image=images.open(board / "short.jpg"), templates=(images.open(board / "good.jpg"),)
        )
        state = InspectionState(request=request, plan=Plan(by="test", steps=(), experts=("pair",)))
        outcomes.append(measure(Visit(state, toolbox, attempt=1)))
    first, second = outcomes
    assert first.update == second.update
    assert KEPT not in first.detail
    assert second.detail == f"{first.detail}; {KEPT}"
    (measured,) = second.update["measurements"].measured
    for name in (f"{measured.map_name}.npy", f"{measured.aligned_reference_name}.png"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
