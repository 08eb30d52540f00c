"""Patterns of printed text that a document may state: regular expressions that cannot run away.

Python's `re` has no time limit, and a repetition of something that itself repeats may need exponential time
on a text that nearly fits. Such patterns are refused when a document is read.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Final

LONGEST_PATTERN: Final = 120
"""Characters of a pattern."""

MOST_WAYS: Final = 1_000_000
"""Ways to lay a pattern onto a line of print that there may be: for each choice its number, multiplied."""

_LINE: Final = 120
"""Characters of a line; repetitions without an end (`*`, `+`, `{2,}`) share them."""

_PIECE: Final = re.compile(
    r"(?P<skip>\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<open>\(\?(?:P<\w+>|<?[=!]|[aiLmsux-]*:)?|\()|(?P<close>\))"
    r"|(?P<times>[*+?]|\{(?=[\d,])(?P<least>\d*)(?P<comma>,?)(?P<most>\d*)\})"
    r"|(?P<or>\|)|(?P<space> )|(?P<other>.)",
    re.DOTALL,
)


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern ready for use. A space in it stands for any spacing or none, which readers of print confuse.

    >>> bool(compiled(r"EXP 20[0-9]{2}").search("best before EXP2027"))
    True

    Raises:
        ValueError: too long, no regular expression, or one that could take for ever; the message says which.
    """
    if not pattern.strip() or len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"a pattern has 1 to {LONGEST_PATTERN} characters, got {len(pattern)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # what `re` will read otherwise some day
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError, FutureWarning) as error:
        raise ValueError(f"pattern {pattern!r} is no regular expression: {error}") from error
    made = re.compile(_checked(pattern))
    if made.search(""):
        raise ValueError(f"pattern {pattern!r} fits no text at all, so that it demands nothing; tighten it")
    return made


def _checked(pattern: str) -> str:
    """The pattern with its spaces made elastic.

    Raises:
        ValueError: a repetition that could take for ever.
    """
    if re.search(r"\\[1-9]|\(\?P=|\(\?\(", pattern):
        raise ValueError(f"pattern {pattern!r} refers back to a group; write it without")
    chooses = [
        False
    ]  # whether anything repeats or branches in the groups that are open here, outermost first
    group_chose = False  # the same of the group that just closed
    ways, endless = 1.0, 0
    pieces = list(_PIECE.finditer(pattern))
    for piece in pieces:
        chose, group_chose = group_chose, False
        if piece["times"]:
            least, most = _times(piece)
            if chose and most != 1:
                raise ValueError(
                    f"pattern {pattern!r} repeats a group in which something repeats or branches; "
                    "write the repetition out"
                )
            if most is None:
                endless += 1
                ways *= _LINE / endless
            elif most > least:
                ways *= most - least + 1
            chooses[-1] |= most != least
        elif piece["open"]:
            chooses.append(False)
        elif piece["close"]:
            group_chose = chooses.pop()
            chooses[-1] |= group_chose
        elif piece["or"]:
            ways *= 2
            chooses[-1] = True
    if ways > MOST_WAYS:
        raise ValueError(f"pattern {pattern!r} leaves too much open; bound or leave out some repetitions")
    following = [*pieces[1:], None]
    return "".join(
        r"\s*" if piece["space"] and not (after and after["times"]) else piece[0]
        for piece, after in zip(pieces, following, strict=True)
    )


def _times(piece: re.Match[str]) -> tuple[int, int | None]:
    """How often a repetition repeats at least and at most; None where it has no end."""
    if piece[0] in _SIGNS:
        return _SIGNS[piece[0]]
    least = int(piece["least"] or 0)
    if not piece["comma"]:
        return least, least
    return least, int(piece["most"]) if piece["most"] else None


_SIGNS: Final[dict[str, tuple[int, int | None]]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}
