"""The benchmark's whole grid against a real vLLM. The model is random: structure and accounting are asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.cli import main
from evals.log import read_answers
from tests.evals.mmad_folder import write_mmad

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800)]

GRID = """
protocol: reference
base: {shots: 1}
grid:
  expert: [none, patchcore, ground-truth]
  notation: [bbox, contour, highlight, mask, heatmap]
rows:
  no template: {shots: 0}
  two similar templates: {shots: 2, templates: similar}
  thinking: {cot: true}
  with history: {history: true, dialect: internvl}
  free text: {constrained: false}
  retrieved knowledge: {knowledge: retrieved}
  class keyed: {knowledge: class-keyed}
"""
ROWS = 7 + 1 + 2 * 5


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two images with all kinds of questions, and knowledge of their class."""
    folder = write_mmad(tmp_path_factory.mktemp("mmad"), images=2)
    known = {"Parts": {"washer": {"good": "Round.", "crack": "A dark line."}}}
    (folder / "domain_knowledge.json").write_text(json.dumps(known))
    return folder


def _run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    return int(ended.value.code or 0)


def test_the_whole_grid_of_the_reference_protocol_runs(vllm_server, data, tmp_path, capsys):
    matrix = tmp_path / "grid.yaml"
    matrix.write_text(GRID)
    asked = ("eval", "mmad", "--data", data, "--run", tmp_path / "runs", "--matrix", matrix)
    assert _run(*asked, "--vlm-url", vllm_server.base_url, "--quiet") == 0
    printed = capsys.readouterr().out
    assert "Qwen2.5-VL-7B-Instruct (1-shot, repository)" in printed
    assert "near-oracle" in printed
    runs = sorted(path.parent for path in (tmp_path / "runs").glob("*/summary.json"))
    assert len(runs) == ROWS
    for run in runs:
        records = list(read_answers(run))
        assert len(records) == 14
        free = run.name == "free-text"
        for record in records:
            given = record.given
            assert given.by == f"vlm:{vllm_server.model}"
            if free:
                assert given.letter is None or given.letter in record.options
                continue
            assert given.letter in record.options
            assert given.probabilities is not None
            assert set(given.probabilities) == set(record.options)
            assert given.prompt_tokens > 0
            assert record.given.letter == max(given.probabilities, key=given.probabilities.__getitem__)


def test_the_agent_answers_over_its_own_evidence(vllm_server, data, tmp_path, capsys):
    run = tmp_path / "run"
    asked = ("eval", "mmad", "--data", data, "--run", run, "--vlm-url", vllm_server.base_url, "--no-cot")
    assert _run(*asked, "--json", "--jobs", "2") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["answered_by"] == f"vlm:{vllm_server.model}"
    assert summary["vlm_used"] is True
    assert summary["scores"]["overall"]["questions"] == 14
    assert summary["throughput"]["prompt_tokens"] > 0
    assert all(record.given.letter in record.options for record in read_answers(run))


def test_later_questions_of_an_image_are_served_from_the_prefix_cache(vllm_server, data, tmp_path, capsys):
    asked = ("eval", "mmad", "--data", data, "--run", tmp_path / "run", "--protocol", "reference", "--json")
    assert _run(*asked, "--vlm-url", vllm_server.base_url) == 0
    assert json.loads(capsys.readouterr().out)["throughput"]["cached_share"] > 0.3
