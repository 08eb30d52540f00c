"""Words as CLIP's text tower takes them: its byte-pair vocabulary, from the file that open_clip ships.

Only that file is read; importing open_clip itself would cost ten seconds.
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.errors import ExpertUnavailable

if TYPE_CHECKING:
    from tokenizers import Tokenizer

START: Final = 49406
END: Final = 49407
VOCABULARY: Final = 49408

_FILE: Final = "bpe_simple_vocab_16e6.txt.gz"
_MERGES: Final = 49152 - 256 - 2
_WORD: Final = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_PRINTED: Final = (*range(33, 127), *range(161, 173), *range(174, 256))
"""Bytes that stand for themselves in the vocabulary; each of the others has a character above 255."""


def tokens_of(text: str) -> tuple[int, ...]:
    """Tokens of a text, lower case, without start and end.

    The same as open_clip's for plain text; that also mends wrongly decoded text and HTML.

    Raises:
        ExpertUnavailable: open_clip's vocabulary is not installed or damaged.
    """
    return tuple(_tokenizer().encode(text).ids)


@cache
def _tokenizer() -> Tokenizer:
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    merges = _merges()
    characters = [chr(code) for code in (*_PRINTED, *range(256, 512 - len(_PRINTED)))]
    words = [*characters, *(f"{one}</w>" for one in characters), *("".join(pair) for pair in merges)]
    vocabulary = {word: number for number, word in enumerate((*words, "<start>", "<end>"))}
    if len(vocabulary) != VOCABULARY:
        raise ExpertUnavailable(f"open_clip's {_FILE} has {len(vocabulary)} tokens; install open_clip anew")
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORD), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


def _merges() -> list[tuple[str, str]]:
    found = find_spec("open_clip")
    if found is None or found.origin is None:
        raise ExpertUnavailable("CLIP's vocabulary is missing: pip install open-clip-torch")
    path = Path(found.origin).with_name(_FILE)
    try:
        lines = gzip.decompress(path.read_bytes()).decode().split("\n")[1 : 1 + _MERGES]
        pairs = [line.split() for line in lines]
        return [(first, second) for first, second in pairs]
    except (OSError, EOFError, ValueError) as error:
        raise ExpertUnavailable(f"{path} cannot be read ({error}); install open-clip-torch anew") from error
