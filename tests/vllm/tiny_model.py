"""Write a random Qwen2.5-VL of under a million parameters, whole enough for a real vLLM to serve it.

Run inside the vLLM environment, which has torch and transformers: `python tiny_model.py FOLDER`.
It proves the wire, not the wisdom: weights are random, but architecture, tokenizer, chat template (which knows
tools besides) and processors are those of the real model, so that every request takes the path it takes in
production.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

# Qwen's special tokens, in Qwen's order.
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)

# As Qwen2.5-VL's, which passes over tools in silence; tools, calls and results are told as text models of that
# family are told them. Stricter in one thing: two turns of the user in a row are refused, as by Gemma and Mistral.
CHAT_TEMPLATE = (
    "{% if tools %}<|im_start|>system\n# Tools\n<tools>\n"
    "{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}</tools><|im_end|>\n{% endif %}"
    "{% for message in messages %}"
    "{% if not loop.first and message['role'] == 'user' and loop.previtem['role'] == 'user' %}"
    "{{ raise_exception('two turns of the user in a row') }}{% endif %}"
    "<|im_start|>{{ 'user' if message['role'] == 'tool' else message['role'] }}\n"
    "{% if message['role'] == 'tool' %}<tool_response>\n{% endif %}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% elif message['content'] %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' or 'image' in part or 'image_url' in part %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{% for call in message['tool_calls'] or [] %}<tool_call>\n"
    "{\"name\": \"{{ call['function']['name'] }}\", \"arguments\": {{ call['function']['arguments'] | tojson }}}"
    "\n</tool_call>{% endfor %}"
    "{% if message['role'] == 'tool' %}{{ '\\n' }}</tool_response>{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

PIXELS = {"shortest_edge": 4 * 28 * 28, "longest_edge": 1280 * 28 * 28}

HEAD_DIM = 64  # the smallest that vLLM's CPU attention takes
SEED = 0


def write_tokenizer(folder: Path) -> dict[str, int]:
    """Byte-level BPE without merges: every text can be encoded, one token a byte. Returns special ids."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(list(SPECIAL_TOKENS))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIAL_TOKENS),
        model_max_length=32768,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    return {token: core.token_to_id(token) for token in SPECIAL_TOKENS}


def write_model(folder: Path, ids: dict[str, int]) -> int:
    """Configuration and random weights; returns the number of parameters."""
    import torch
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": 384,
            "hidden_size": 2 * HEAD_DIM,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "max_position_embeddings": 32768,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1000000.0,
                "mrope_section": [8, 12, 12],  # sums to HEAD_DIM / 2
            },
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
        },
        vision_config={
            "depth": 2,
            "hidden_size": 2 * HEAD_DIM,
            "intermediate_size": 128,
            "num_heads": 2,
            "out_hidden_size": 2 * HEAD_DIM,
            "fullatt_block_indexes": [1],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    torch.manual_seed(SEED)
    model = Qwen2_5_VLForConditionalGeneration(config).to(torch.float32).eval()
    model.generation_config.eos_token_id = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    model.generation_config.pad_token_id = ids["<|endoftext|>"]
    model.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def write_processors(folder: Path) -> None:
    """The image and video processors, with Qwen's normalisation and patch sizes."""
    shared = {
        "processor_class": "Qwen2_5_VLProcessor",
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "do_convert_rgb": True,
        "rescale_factor": 1 / 255,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "patch_size": 14,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "size": PIXELS,
    }
    image = {"image_processor_type": "Qwen2VLImageProcessor", **shared}
    video = {"video_processor_type": "Qwen2VLVideoProcessor", **shared}
    (folder / "preprocessor_config.json").write_text(json.dumps(image, indent=1), encoding="utf-8")
    (folder / "video_preprocessor_config.json").write_text(json.dumps(video, indent=1), encoding="utf-8")


def main(folder: Path) -> None:
    """Write the whole model folder."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = write_tokenizer(folder)
    parameters = write_model(folder, ids)
    write_processors(folder)
    sys.stdout.write(f"{parameters} parameters in {folder}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
