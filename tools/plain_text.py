"""Foreign text made safe to look at: it shows as it reads and does nothing."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 2000
"""Characters of one field that a rendering for people shows; the JSON beside it holds all of it."""

_REORDERS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
_MARKUP = re.compile(r"([\\`*_\[\]{}#|~$!<>&])")
_LINK = re.compile(r"(?<=[A-Za-z])(:)(?=//)|(?<=\bwww)(\.)", re.IGNORECASE)
_LIST_MARK = re.compile(r"^(?:[-+=]|\d+[.)])")


def plain(text: str, longest: int = LONGEST) -> str:
    r"""One line that shows as it reads.

    White space is folded to single spaces. Control characters, marks that reorder text, and lone surrogates
    are written out as `\x1b`, `\u202e`. What is cut off is counted.
    """
    folded = "".join(map(_visible, " ".join(text[:longest].split())))
    rest = len(text) - longest
    return f"{folded} … ({rest} more characters)" if rest > 0 else folded


def inert(text: str) -> str:
    """Text of any length that shows as it reads, its lines and tabs kept."""
    return "".join(each if each in "\n\t" else _visible(each) for each in text.replace("\r\n", "\n"))


def brief(text: str, longest: int) -> str:
    """`plain` text of at most `longest` characters, for a label beside which there is no room."""
    line = plain(text[: 4 * longest])
    whole = len(line) <= longest and len(text) <= 4 * longest
    return line if whole else line[: longest - 1].rstrip() + "…"


def escape(text: str) -> str:
    """Text that Markdown shows as it is, in a line or a table: no markup, no HTML, no automatic link."""
    return _LINK.sub(lambda match: "\\" + match[0], _MARKUP.sub(r"\\\1", plain(text)))


def paragraph(text: str) -> str:
    """Escaped text that may begin a line: neither a list nor an underline comes of it."""
    return _LIST_MARK.sub(lambda match: f"&#{ord(match[0][0])};{match[0][1:]}", escape(text))


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN and character not in _REORDERS:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
