from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.errors import RunMismatch
from evals.spec import RunSpec
from tests.evals.run_parts import spec

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)


@given(settings=st.dictionaries(st.text(), JSON, max_size=4))
def test_a_specification_survives_its_file_and_refuses_nothing_equal(settings: dict[str, object]) -> None:
    wanted = spec(settings=settings)
    begun = RunSpec.model_validate_json(wanted.model_dump_json())
    assert begun == wanted
    begun.refuse_another(wanted)


@given(settings=st.dictionaries(st.text(), JSON, max_size=4), name=st.text(), value=JSON)
def test_any_other_value_of_a_setting_is_refused_in_one_line(
    settings: dict[str, object], name: str, value: object
) -> None:
    begun, wanted = spec(settings=settings), spec(settings={**settings, name: value})
    if begun == wanted:
        begun.refuse_another(wanted)
        return
    with pytest.raises(RunMismatch, match="--run") as refused:
        begun.refuse_another(wanted)
    assert len(str(refused.value).splitlines()) == 1


def test_of_several_differences_the_first_is_named() -> None:
    with pytest.raises(RunMismatch, match="protocol"):
        spec().refuse_another(spec(protocol="reference", settings={}, files={}))


def test_a_format_of_later_times_is_refused() -> None:
    later = json.loads(spec().model_dump_json()) | {"format": 2}
    with pytest.raises(ValueError, match="format"):
        RunSpec.model_validate(later)


def test_a_long_value_is_shown_in_part() -> None:
    with pytest.raises(RunMismatch) as refused:
        spec().refuse_another(spec(settings={"shots": 1, "expert": "x" * 100_000}))
    assert len(str(refused.value)) < 500
