"""A causal language model and its tokenizer, from files; nothing is downloaded, no code of theirs runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from tools.errors import ExpertUnavailable
from tools.plain_text import brief

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_LONGEST_SAID: Final = 160


def load_lm(source: str, device: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a folder, or by their name from the hub's cache.

    On a CPU as float32, elsewhere in the precision of the file.

    Args:
        source: the folder, or the name.
        device: as torch calls it.

    Raises:
        ExpertUnavailable: there is none, it is damaged or lacks weights, or it is no causal language model.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    any_lm: Any = AutoModelForCausalLM
    local = Path(source).expanduser()
    where = str(local) if local.is_dir() else source
    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(where, local_files_only=True, trust_remote_code=False)
            model, told = any_lm.from_pretrained(
                where,
                local_files_only=True,
                trust_remote_code=False,
                dtype=torch.float32 if device == "cpu" else "auto",
                output_loading_info=True,
            )
            lacking = sorted(told["missing_keys"])  # would be drawn at random
            if lacking:
                raise ValueError(f"it lacks weights, {lacking[0]} among them")
            return model.to(device), tokenizer
    except Exception as error:  # damaged and hostile files make transformers raise what it likes
        said = brief(str(error), _LONGEST_SAID) or "no message"
        raise ExpertUnavailable(
            f"no causal language model can be opened at {source} ({type(error).__name__}: {said}); give the "
            "folder of one that transformers opens, or its name in the hub's cache"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without bars and reports on the screen: what is wrong is raised."""
    from transformers import utils

    logging: Any = utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
