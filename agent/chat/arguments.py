"""Words behind a command as what they stand for."""

from __future__ import annotations

import re
from pathlib import Path

from graphs.chat.errors import Refusal
from tools.plain_text import brief


def number_of(word: str) -> int | None:
    """A number without sign of up to nine digits; None if it is none."""
    return int(word) if re.fullmatch(r"[0-9]{1,9}", word) else None


def path_of(word: str) -> Path:
    """An absolute path; a tilde is a home folder.

    Raises:
        Refusal: nobody has that home folder, or the path cannot be one or be looked at.
    """
    try:
        path = Path(word).expanduser().absolute()
        path.stat()
    except FileNotFoundError:
        return path
    except RuntimeError as error:
        raise Refusal(f"there is no home folder as in {brief(word, 80)}; write the path out") from error
    except OSError as error:
        raise Refusal(f"{brief(word, 80)} cannot be looked at: {error.strerror}") from error
    except ValueError as error:  # a surrogate, or the null character
        raise Refusal(f"{brief(word, 80)} cannot be the name of a file") from error
    return path
