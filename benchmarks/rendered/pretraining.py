"""A small CLIP from nothing: texts first, then pictures of rendered products and their captions.

Radford et al. 2021, arXiv 2103.00020, at the size of some minutes on one core. What CLIP has by the number of
its pictures, a small one must have by their choice and by what is asked of it:

- its text tower learns its words first (`words_first`);
- each picture is held against captions, and also against short captions of all shapes, of all surfaces, of
  all colours and of all states, each for itself (as UniCL learns from labels, Yang et al. 2022, arXiv
  2204.03610);
- captions of states are told apart by the patches that they are about as well (as RegionCLIP learns, Zhong et
  al. 2022, arXiv 2112.09106): where its words lie, millions of pictures tell a CLIP, and this one by masks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.rendered.captions import caption
from benchmarks.rendered.drawing import SIDE_PX, draw
from benchmarks.rendered.first_weights import drawn_clip
from benchmarks.rendered.flaws import FLAWS
from benchmarks.rendered.groups import groups, shelf
from benchmarks.rendered.picture_learner import PictureLearner
from benchmarks.rendered.scene import Product
from benchmarks.rendered.sets import products
from benchmarks.rendered.surfaces import COLOURS
from benchmarks.rendered.words_first import learn_words
from tools.atomic import write_atomically
from tools.clip.files import CONFIG_NAME, load_clip
from tools.clip.model import Clip, ClipShape
from tools.clip.tokenizer import VOCABULARY
from tools.learning.loop import EpochDone, Examples, learn
from tools.learning.memory import read_memory, write_memory
from tools.learning.plan import Plan

FILE_NAME: Final = "open_clip_model.safetensors"

_CAPTIONS_KNOWN: Final = 20
"""Of each state, by which it is told whether captions are still written as they were."""


@dataclass(frozen=True)
class Pretraining:
    """How the small CLIP is made.

    Attributes:
        width, layers: of the vision tower; its heads are 64 wide.
        patch_px: side of a patch.
        text_width, text_layers: of the text tower.
        pairs: of shape and surface, at most 48; the 16 of the products to choose by are cut to them as well.
        colours: of each pair, at most ten.
        groups: of each product, a good piece and three flawed ones of different types.
        word_epochs: of the text tower, over all products in all states.
        epochs, batch_groups, learning_rate: of AdamW with weight decay 0.1 and a cosine.
        seed: of pictures, captions, weights and order.
    """

    width: int = 128
    layers: int = 4
    patch_px: int = 10
    text_width: int = 128
    text_layers: int = 3
    pairs: int = 48
    colours: int = 10
    groups: int = 4
    word_epochs: int = 5
    epochs: int = 40
    batch_groups: int = 12
    learning_rate: float = 1e-3
    seed: int = 0

    @property
    def shape(self) -> ClipShape:
        """Sizes of the CLIP."""
        return ClipShape(
            embed_width=self.text_width,
            patch_px=self.patch_px,
            grid=SIDE_PX // self.patch_px,
            vision_width=self.width,
            vision_layers=self.layers,
            vision_heads=self.width // 64,
            vision_hidden=4 * self.width,
            text_width=self.text_width,
            text_layers=self.text_layers,
            text_heads=self.text_width // 64,
            text_hidden=4 * self.text_width,
            vocabulary=VOCABULARY,
            context=77,
            quick_gelu=False,
        )

    @property
    def products(self) -> tuple[Product, ...]:
        """What it learns from."""
        of_pairs = products("pretraining")[: self.pairs * len(COLOURS)]
        return tuple(one for at, one in enumerate(of_pairs) if at % len(COLOURS) < self.colours)

    @property
    def plan(self) -> Plan:
        """How it learns."""
        return Plan(
            epochs=self.epochs,
            batch_size=self.batch_groups,
            learning_rate=self.learning_rate,
            schedule="cosine",
            warmup=0.05,
            betas=(0.9, 0.98),
            weight_decay=0.1,
            most_gradient=1.0,
            seed=self.seed,
            device="cpu",
            precision="bf16",
        )


def pretrained(
    settings: Pretraining,
    cache: Path,
    *,
    drawn: Callable[[], None] = lambda: None,
    epoch: Callable[[EpochDone], None] = lambda _: None,
) -> Path:
    """The file of a CLIP made by these settings: that of the cache, or made now and kept there.

    Pre-training that was stopped goes on after its last whole epoch.

    Args:
        settings: how it is made.
        cache: the folder.
        drawn: called after each product is drawn.
        epoch: called after each epoch.

    Raises:
        LearningError: learning failed.
        OSError: the folder cannot be written.
    """
    said = json.dumps(asdict(settings), sort_keys=True)
    home = cache / f"small-clip-{_digest(said)}"
    done = home / FILE_NAME
    if done.is_file() and done.with_name(CONFIG_NAME).is_file():
        return done
    home.mkdir(parents=True, exist_ok=True)
    begun = home / "learning.safetensors"
    clip = drawn_clip(settings.shape, settings.seed)
    learn_words(clip, settings.products, settings.seed, epochs=settings.word_epochs)
    clip.requires_grad_(requires_grad=False).visual.requires_grad_()
    learner = PictureLearner(clip)
    held_out = shelf(products("choosing")[: settings.pairs], settings.seed)
    examples = Examples(groups(settings.products, settings.groups, settings.seed, drawn), held_out)
    memory = read_memory(begun)[0] if begun.is_file() else None
    for one in learn(learner, examples, settings.plan, begin=memory):
        write_memory(begun, one.memory, said)
        epoch(one)
    write_clip(clip, done)
    begun.unlink()
    return done


def write_clip(clip: Clip, path: Path) -> None:
    """The weights as open_clip publishes them, with its configuration, tried whether they open."""
    from safetensors.torch import save

    tensors = {name: tensor.detach().contiguous() for name, tensor in clip.state_dict().items()}
    config = {
        "model_cfg": {"quick_gelu": clip.shape.quick_gelu, "text_cfg": {"heads": clip.shape.text_heads}}
    }
    write_atomically(path.with_name(CONFIG_NAME), json.dumps(config).encode())
    write_atomically(path, save(tensors))
    if load_clip(path).shape != clip.shape:
        raise RuntimeError(f"{path} opens as another CLIP than was written")


def _digest(settings: str) -> str:
    """Of settings, looks and captions, so that no CLIP is taken that learnt from others."""
    digest = hashlib.sha256(settings.encode())
    product, rng = products("pretraining")[0], np.random.default_rng(0)
    for kind in (None, *FLAWS):
        digest.update(draw(product, kind, "digest").pixels.tobytes())
        digest.update("".join(caption(product, kind, rng) for _ in range(_CAPTIONS_KNOWN)).encode())
    return digest.hexdigest()[:10]
