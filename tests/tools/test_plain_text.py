"""Text of others is shown as it reads, and does nothing."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tools.plain_text import brief, escape, paragraph, plain


@given(st.text())
def test_plain_text_is_one_line_without_hidden_characters(text: str) -> None:
    shown = plain(text)
    assert "\n" not in shown
    assert not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in shown)


def test_what_is_cut_off_is_counted() -> None:
    assert plain("x" * 5000).endswith("… (3000 more characters)")


@given(st.text(), st.integers(2, 40))
def test_a_label_keeps_to_its_length_and_says_that_it_was_cut(text: str, longest: int) -> None:
    label = brief(text, longest)
    assert len(label) <= longest
    if len(plain(text, 100_000)) <= longest and len(text) <= 4 * longest:
        assert label == plain(text, 100_000)


@given(
    st.text()
    | st.sampled_from(["# h", "- l", "1. n", "a | b", "<b>x</b>", "![i](http://x.y)", "www.x.y", "==="])
)
def test_markdown_shows_a_paragraph_and_no_markup(text: str) -> None:
    kinds = {
        token.type
        for block in MarkdownIt("gfm-like", {"linkify": False}).parse(paragraph(text))
        for token in [block, *(block.children or [])]
    }
    assert kinds <= {"paragraph_open", "inline", "paragraph_close", "text", "text_special"}


def test_a_cell_does_not_end_its_table() -> None:
    assert escape("a|b\n|c") == r"a\|b \|c"
