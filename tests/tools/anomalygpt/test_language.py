"""The frozen language model: how it is opened and known, what it is given, and what it says."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tools.anomalygpt.speaking import Made
from tools.anomalygpt.language import Decoding, Language
from tools.errors import ExpertUnavailable, LearningError, VlmRejected


@pytest.fixture(scope="module")
def taught(speaking: Made) -> Language:
    """One that has something to say."""
    return Language.open(str(speaking.lm))


def prompt_of(language: Language, text: str) -> Any:
    return language.embedded(language.words(text, begin=True))


def test_it_says_what_transformers_says(taught: Language, speaking: Made) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(speaking.lm)
    tokenizer: Any = AutoTokenizer.from_pretrained(speaking.lm)
    text = "### Human: <Img></Img> Yes top left Is there any anomaly in the image?### Assistant:"
    given = tokenizer(text, return_tensors="pt").input_ids
    ids = model.generate(given, attention_mask=torch.ones_like(given), max_new_tokens=40, do_sample=False)
    whole = tokenizer.decode(ids[0, given.shape[1] :])
    spoken = taught.go_on(prompt_of(taught, text))
    assert spoken.text == "Yes, there is an anomaly in the image, at the top left of the image."
    assert whole.strip().startswith(f"{spoken.text}\n###")
    assert spoken.whole
    assert "".join(piece for piece, _ in spoken.pieces).strip() == f"{spoken.text}\n###"

    logits = model(given).logits[0, -1].log_softmax(dim=-1)
    assert spoken.pieces[0][1] == pytest.approx(float(logits.detach().max()), abs=1e-4)


def test_an_answer_that_is_cut_off_says_so(taught: Language) -> None:
    text = "### Human: <Img></Img> No Is there any anomaly in the image?### Assistant:"
    spoken = taught.go_on(prompt_of(taught, text), Decoding(max_tokens=4))
    assert not spoken.whole
    assert len(spoken.pieces) == 4
    assert "No, there is no anomaly in the image.".startswith(spoken.text)


def test_words_are_drawn_as_the_seed_says(lm: Path) -> None:
    language = Language.open(str(lm))
    prompt = prompt_of(language, "Is there")

    def said(**how: Any) -> str:
        return language.go_on(prompt, Decoding(max_tokens=12, **how)).text

    assert said(sample=True, top_p=1.0, seed=3) == said(sample=True, top_p=1.0, seed=3)
    assert said(sample=True, top_p=1.0, seed=3) != said(sample=True, top_p=1.0, seed=4)
    assert said(sample=True, top_p=1e-9) == said()
    assert said(sample=True, top_p=1.0, temperature=1e-4) == said()


def test_the_loss_is_that_of_the_answers_alone_whatever_stands_beside(taught: Language) -> None:
    prompts = [prompt_of(taught, text) for text in ("### Human: Yes", "### Human: <Img></Img> No it is")]
    answers = ["No, there is no anomaly in the image.", "Yes"]
    each = [float(taught.loss([prompt], [answer])) for prompt, answer in zip(prompts, answers, strict=True)]
    counts = [len(taught.words(f" {answer}\n###")) for answer in answers]
    together = sum(loss * count for loss, count in zip(each, counts, strict=True)) / sum(counts)
    assert float(taught.loss(prompts, answers)) == pytest.approx(together, rel=1e-4)


def test_words_that_others_precede_are_as_in_the_whole_text(lm: Path, tmp_path: Path) -> None:
    """Tokenizers of Llama's kind mark the first word of what they are given; soft tokens stand before it here."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<unk>", "▁a", "▁Yes", "▁", "Yes", ",", "</", "Img", ">"]
    core = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Split(",", "isolated"), pre_tokenizers.Split("</", "isolated"),
         pre_tokenizers.Split(">", "isolated")]
    )  # fmt: skip
    core.decoder = decoders.Metaspace()
    shutil.copytree(lm, tmp_path / "lm")
    fast: Any = PreTrainedTokenizerFast
    fast(tokenizer_object=core, unk_token="<unk>").save_pretrained(tmp_path / "lm")
    language = Language.open(str(tmp_path / "lm"))
    assert [words[at] for at in language.words(" Yes,").tolist()] == ["▁Yes", ","]
    assert [words[at] for at in language.words("</Img>").tolist()] == ["</", "Img", ">"]


def test_it_is_known_in_any_precision_and_told_from_a_tuned_one(lm: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    one = Language.open(str(lm))
    model: Any = AutoModelForCausalLM.from_pretrained(lm)
    shutil.copytree(lm, tmp_path / "half")
    model.to(torch.bfloat16).save_pretrained(tmp_path / "half")
    assert Language.open(str(tmp_path / "half")).fingerprint == one.fingerprint

    tuned: Any = AutoModelForCausalLM.from_pretrained(lm)
    with torch.no_grad():  # as a merged LoRA changes it
        query = tuned.model.layers[1].self_attn.q_proj.weight
        query += 0.01 * torch.randn(query.shape[0], 1) @ torch.randn(1, query.shape[1])
    shutil.copytree(lm, tmp_path / "tuned")
    tuned.save_pretrained(tmp_path / "tuned")
    assert Language.open(str(tmp_path / "tuned")).fingerprint != one.fingerprint


def test_what_is_longer_than_it_takes_is_refused(lm: Path) -> None:
    language = Language.open(str(lm))
    assert language.context == 512
    prompt = torch.zeros(500, language.width)
    with pytest.raises(VlmRejected, match="500 tokens and an answer of 96 are more than the 512"):
        language.go_on(prompt)
    with pytest.raises(LearningError, match="takes 512"):
        language.loss([prompt], ["no " * 20])


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _written(name: str, content: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return write


def _cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def _configured(**changes: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        config = folder / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))

    return write


class _Touch:
    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Touch(), protocol=2))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without("config.json"), ""),
        (_without("model.safetensors"), ""),
        (_without("tokenizer.json"), ""),
        (_cut, "SafetensorError"),
        (_written("model.safetensors", b""), "SafetensorError"),
        (_written("model.safetensors", b"\xff" * 99), "SafetensorError"),
        (_written("config.json", b"[]"), ""),
        (_written("config.json", b"\x00\xff"), ""),
        (_written("tokenizer.json", b"{}"), ""),
        (_written("tokenizer_config.json", b"[1]"), ""),
        (_configured(model_type="clip"), ""),
        (_configured(hidden_size="\x1b[2J"), ""),
        (_configured(num_attention_heads=7), ""),
        (_configured(hidden_size=96), ""),
        (_configured(num_hidden_layers=3), "lacks weights"),
        (_pickled, ""),
    ],
)
def test_damaged_and_hostile_folders_are_refused_in_one_line(
    lm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "lm"
    shutil.copytree(lm, folder)
    change(folder)
    with pytest.raises(ExpertUnavailable, match="no causal language model can be opened") as refused:
        Language.open(str(folder))
    assert said in str(refused.value)
    assert str(refused.value).isprintable()
    assert not (tmp_path / "ran").exists()


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    for nowhere in (str(tmp_path / "none"), "nobody/nothing", "", "a b/../c"):
        with pytest.raises(ExpertUnavailable, match="no causal language model"):
            Language.open(nowhere)


def test_opening_writes_nothing_on_the_screen(lm: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Language.open(str(lm))
    assert capfd.readouterr() == ("", "")
