"""A BERT sentence encoder as an ONNX graph whose weights stay where they are: in its safetensors file.

The graph is written node by node from `config.json`, and every initializer is an external tensor that
points at an offset of `model.safetensors`. ONNX Runtime maps that file, so that neither torch nor a
converted copy of the weights is needed. Mean pooling over real tokens and the L2 norm are part of the graph.

Architecture: Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), post-norm, GELU by the error function;
pooling: Reimers and Gurevych, 2019 (https://arxiv.org/abs/1908.10084).
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

WEIGHTS_FILE = "model.safetensors"
_OPSET = 20
_IR_VERSION = 10
_MASKED = -1e9  # added to the attention score of a padding token before the softmax
_LARGEST_HEADER = 100_000_000  # the limit that the safetensors format sets itself


def read_header(weights: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """Tensor table of a safetensors file, and the offset at which its data begin.

    Raises:
        ValueError: the file is not safetensors, or is shorter than its table says.
        OSError: the file cannot be read.
    """
    with weights.open("rb") as stream:
        length = stream.read(8)
        if len(length) < 8:
            raise ValueError("no safetensors header")
        (size,) = struct.unpack("<Q", length)
        if size > _LARGEST_HEADER:
            raise ValueError("no safetensors header")
        table = json.loads(stream.read(size))
    table.pop("__metadata__", None)
    start = 8 + size
    end = start + max(entry["data_offsets"][1] for entry in table.values())
    if weights.stat().st_size != end:
        raise ValueError(f"{weights.stat().st_size} bytes long, its header says {end}")
    return table, start


def build_encoder(model_dir: Path) -> bytes:
    """Serialized ONNX model of the encoder in `model_dir`.

    Inputs `input_ids` and `attention_mask`, both (batch, tokens) int64; output `embedding`,
    (batch, hidden) float32, each row of length 1. To load it, name `model_dir` in the session option
    `session.model_external_initializers_file_folder_path`.

    Raises:
        ValueError: not a BERT with exact GELU, or the weights do not fit the configuration.
        OSError: a file cannot be read.
    """
    config = json.loads((model_dir / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != "bert" or config.get("hidden_act") != "gelu":
        raise ValueError("only BERT encoders with hidden_act 'gelu' can be built")
    table, start = read_header(model_dir / WEIGHTS_FILE)
    graph = _Graph(table, start)
    return _encoder(graph, config)


class _Graph:
    """Collects nodes and initializers; every method returns the name of the tensor it made."""

    def __init__(self, table: dict[str, dict[str, Any]], start: int) -> None:
        self._table, self._start = table, start
        self._nodes: list[Any] = []
        self._initializers: dict[str, Any] = {}

    def weight(self, name: str) -> str:
        """A tensor of the weights file, by reference."""
        from onnx import TensorProto

        if name in self._initializers:
            return name
        entry = self._table.get(name)
        if entry is None or entry["dtype"] != "F32":
            raise ValueError(f"the weights hold no float32 tensor {name!r}")
        begin, end = entry["data_offsets"]
        tensor = TensorProto(
            name=name, dims=entry["shape"], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL
        )
        for key, value in (
            ("location", WEIGHTS_FILE),
            ("offset", self._start + begin),
            ("length", end - begin),
        ):
            tensor.external_data.add(key=key, value=str(value))
        self._initializers[name] = tensor
        return name

    def constant(self, name: str, value: Any, dtype: type[np.generic]) -> str:  # noqa: ANN401 - any array-like
        """A small tensor that the graph itself holds."""
        from onnx import numpy_helper

        self._initializers[name] = numpy_helper.from_array(np.asarray(value, dtype), name)
        return name

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - ONNX attributes
        """One operator with one output."""
        from onnx import helper

        output = f"{op}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def linear(self, x: str, name: str) -> str:
        """X @ W^T + b for x of shape (rows, in)."""
        return self.node("Gemm", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), transB=1)

    def layer_norm(self, x: str, name: str, epsilon: float) -> str:
        """Layer normalization over the last axis."""
        return self.node(
            "LayerNormalization",
            x,
            self.weight(f"{name}.weight"),
            self.weight(f"{name}.bias"),
            axis=-1,
            epsilon=epsilon,
        )

    def serialize(self, output: str, hidden: int) -> bytes:
        """The finished model."""
        from onnx import TensorProto, helper

        self._nodes.append(helper.make_node("Identity", [output], ["embedding"]))
        graph = helper.make_graph(
            self._nodes,
            "sentence_encoder",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
                for name in ("input_ids", "attention_mask")
            ],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", hidden])],
            list(self._initializers.values()),
        )
        model = helper.make_model(
            graph, ir_version=_IR_VERSION, opset_imports=[helper.make_opsetid("", _OPSET)]
        )
        return bytes(model.SerializeToString())


def _encoder(g: _Graph, config: dict[str, Any]) -> bytes:
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    epsilon = float(config["layer_norm_eps"])
    zero, one = g.constant("zero", 0, np.int64), g.constant("one", 1, np.int64)
    shape = g.node("Shape", "input_ids")
    rows = g.constant("rows", [-1, hidden], np.int64)
    split = g.node("Concat", shape, g.constant("heads", [heads, hidden // heads], np.int64), axis=0)
    whole = g.node("Concat", shape, g.constant("hidden", [hidden], np.int64), axis=0)

    positions = g.node("Range", zero, g.node("Gather", shape, one), one)
    words = g.node("Gather", g.weight("embeddings.word_embeddings.weight"), "input_ids")
    places = g.node("Gather", g.weight("embeddings.position_embeddings.weight"), positions)
    segment = g.node("Gather", g.weight("embeddings.token_type_embeddings.weight"), zero)
    x = g.node("Add", g.node("Add", words, places), segment)
    x = g.node("Reshape", g.layer_norm(x, "embeddings.LayerNorm", epsilon), rows)  # (batch * tokens, hidden)

    real = g.node("Cast", "attention_mask", to=1)
    padding = g.node(
        "Mul",
        g.node("Sub", g.constant("unit", 1, np.float32), real),
        g.constant("masked", _MASKED, np.float32),
    )
    padding = g.node("Unsqueeze", padding, g.constant("head_and_query", [1, 2], np.int64))
    scale = g.constant("scale", 1 / math.sqrt(hidden // heads), np.float32)
    for layer in range(int(config["num_hidden_layers"])):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            g.node("Reshape", g.linear(x, f"{name}.attention.self.{part}"), split)
            for part in ("query", "key", "value")
        )  # each (batch, tokens, heads, hidden / heads)
        scores = g.node(
            "MatMul",
            g.node("Transpose", query, perm=[0, 2, 1, 3]),
            g.node("Transpose", key, perm=[0, 2, 3, 1]),
        )
        weights = g.node("Softmax", g.node("Add", g.node("Mul", scores, scale), padding), axis=-1)
        mixed = g.node("MatMul", weights, g.node("Transpose", value, perm=[0, 2, 1, 3]))
        mixed = g.node("Reshape", g.node("Transpose", mixed, perm=[0, 2, 1, 3]), rows)
        attended = g.node("Add", g.linear(mixed, f"{name}.attention.output.dense"), x)
        x = g.layer_norm(attended, f"{name}.attention.output.LayerNorm", epsilon)
        wide = g.node("Gelu", g.linear(x, f"{name}.intermediate.dense"))
        x = g.layer_norm(
            g.node("Add", g.linear(wide, f"{name}.output.dense"), x), f"{name}.output.LayerNorm", epsilon
        )

    tokens = g.node("Reshape", x, whole)
    weight = g.node("Unsqueeze", real, g.constant("last", [-1], np.int64))
    summed = g.node(
        "ReduceSum", g.node("Mul", tokens, weight), g.constant("over_tokens", [1], np.int64), keepdims=0
    )
    # The mean divides by the number of tokens, which the norm divides out again.
    return g.serialize(g.node("LpNormalization", summed, axis=-1, p=2), hidden)
