"""CLIP's vocabulary without open_clip: the same tokens, and a word when it is not there."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.clip import tokenizer
from tools.errors import ExpertUnavailable


@pytest.fixture(scope="module")
def theirs() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from open_clip.tokenizer import SimpleTokenizer
    return SimpleTokenizer()


@pytest.mark.parametrize(
    "text",
    [
        "flawless object",
        "Bent wire anomaly object",
        "faulty imprint, 2 mm",
        "it's pcb-4's  solder\tbridge",
        "Kratzer auf Oberfläche",
        "划痕 anomaly",
        "",
        "🔩 screw",
    ],
)
def test_tokens_are_those_of_open_clip(theirs: Any, text: str) -> None:
    assert list(tokenizer.tokens_of(text)) == theirs.encode(text)


@given(st.text(st.characters(codec="ascii", exclude_characters="&<>", min_codepoint=32, max_codepoint=126)))
@settings(max_examples=200, deadline=None)
def test_any_plain_text_gives_the_same_tokens(theirs: Any, text: str) -> None:
    assert list(tokenizer.tokens_of(text)) == theirs.encode(text)


def test_neither_torch_nor_open_clip_is_imported() -> None:
    code = (
        "import sys; from tools.clip.tokenizer import tokens_of; tokens_of('damaged object'); "
        "assert not {'torch', 'open_clip'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_vocabulary_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "find_spec", lambda name: None)
    tokenizer._tokenizer.cache_clear()
    with pytest.raises(ExpertUnavailable, match="pip install open-clip-torch"):
        tokenizer.tokens_of("any")


def test_a_damaged_vocabulary_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path

    monkeypatch.setattr(Path, "read_bytes", lambda path: b"\x1f\x8b nothing")
    tokenizer._tokenizer.cache_clear()
    with pytest.raises(ExpertUnavailable, match="cannot be read"):
        tokenizer.tokens_of("any")
