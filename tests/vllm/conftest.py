"""A real vLLM that serves a small random Qwen2.5-VL, shared by the session."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vllm.server import ServerFailed, VllmServer, built_model, built_python, running_server


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    """Interpreter of the vLLM environment, built if need be."""
    try:
        return built_python()
    except ServerFailed as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def tiny_model(vllm_python: Path) -> Path:
    """Folder of the small random model."""
    return built_model(vllm_python)


@pytest.fixture(scope="session")
def vllm_server(
    vllm_python: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VllmServer]:
    """The server; ends with the session, and fails the session if anything of it stays behind."""
    try:
        with running_server(vllm_python, tiny_model, tmp_path_factory.mktemp("vllm")) as server:
            yield server
    except ServerFailed as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def server_with_a_parser(
    vllm_python: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VllmServer]:
    """A server that takes tool calls of the API, with room for tools told at a token a byte.

    The flags come with the interpreter: `agent serve` gives it its own first, and the last one wins.
    """
    folder = tmp_path_factory.mktemp("vllm-with-a-parser")
    python = folder / "python"
    flags = "--enable-auto-tool-choice --tool-call-parser hermes --max-model-len 16384"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(str(vllm_python))} "$@" {flags}\n')
    python.chmod(0o755)
    try:
        with running_server(python, tiny_model, folder) as server:
            yield server
    except ServerFailed as error:
        pytest.fail(str(error), pytrace=False)
