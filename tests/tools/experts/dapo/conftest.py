from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tools.clip.fixtures import clip, files, marked_folder, one_thread
from tests.tools.clip.small_clip import write_weights
from tests.tools.experts.dapo.drawn import Learnt, card_of, plan, write_typed

__all__ = ["clip", "files", "learnt", "marked_folder", "one_thread", "typed_folder"]


@pytest.fixture(scope="session")
def typed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_typed(tmp_path_factory.mktemp("typed") / "plate")


@pytest.fixture(scope="session")
def learnt(clip: Any, typed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    """Prompts learnt for 20 epochs, kept as the program keeps them."""
    import torch

    from tools.experts.dapo.checkpoints import write_checkpoint
    from tools.experts.dapo.lessons import lessons_of
    from tools.experts.dapo.training import learn_dapo
    from tools.image import ImageStore
    from tools.marked.layouts import check_examples, find_examples

    images, marked = ImageStore(), find_examples(typed_folder)
    lessons = lessons_of(marked.examples)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as `one_thread`, which is there only from the module's first test on
    epochs = list(learn_dapo(clip, lessons, images, plan(epochs=20)))
    torch.set_num_threads(threads)
    folder = tmp_path_factory.mktemp("dapo")
    card = card_of(clip, lessons, check_examples(marked, images))
    return Learnt(write_weights(clip, folder), write_checkpoint(folder, epochs[-1].memory, card), epochs)
