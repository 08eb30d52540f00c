"""Pictures and messages as an OpenAI-compatible chat takes them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from PIL import Image

from tools.types import Pixels
from tools.vlm.base import ImagePart, Message, TextPart
from tools.vlm.frames import SizeLimits, sent_size
from tools.vlm.tool_calls import with_pictures_shown

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

PictureFormat: TypeAlias = Literal["png", "jpeg"]
"""PNG keeps every pixel of a fine defect; JPEG (quality 92, full chroma) is some five times smaller."""


def data_uri(pixels: Pixels, limits: SizeLimits, picture_format: PictureFormat = "png") -> str:
    """An RGB picture (height, width, 3) uint8, resized to `sent_size`, as a `data:` URI.

    Raises:
        VlmRejected: no size within the limits fits the picture.
        ValueError: not an RGB uint8 array.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != "uint8":
        raise ValueError(f"expected uint8 pixels (height, width, 3), got {pixels.dtype} {pixels.shape}")
    height_px, width_px = pixels.shape[:2]
    wanted = sent_size(width_px, height_px, limits)
    picture = Image.fromarray(pixels)
    if picture.size != wanted:
        picture = picture.resize(wanted, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    if picture_format == "png":
        picture.save(buffer, "PNG", compress_level=1)
    else:
        picture.save(buffer, "JPEG", quality=92, subsampling=0)
    return f"data:image/{picture_format};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def chat_messages(
    messages: Sequence[Message], limits: SizeLimits, picture_format: PictureFormat = "png"
) -> list[BaseMessage]:
    """Messages for langchain, order of turns and parts kept.

    A lone text is a plain string, and so is what a model said: few endpoints take parts from it.

    Raises:
        VlmRejected: no size within the limits fits a picture.
        ValueError: a tool's turn does not answer the call before it.
    """
    return [_turn(message, limits, picture_format) for message in with_pictures_shown(messages)]


def _turn(message: Message, limits: SizeLimits, picture_format: PictureFormat) -> BaseMessage:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

    content = _content(message, limits, picture_format)
    call = message.call
    match message.role:
        case "system":
            return SystemMessage(content=content)
        case "assistant" if call is not None:
            wish = {"id": call.id, "name": call.name, "args": dict(call.arguments)}
            return AIMessage(content=content, tool_calls=[wish])
        case "assistant":
            return AIMessage(content=content)
        case "tool" if call is not None:
            return ToolMessage(content=content, tool_call_id=call.id)
        case _:
            return HumanMessage(content=content)


def _content(
    message: Message, limits: SizeLimits, picture_format: PictureFormat
) -> str | list[str | dict[Any, Any]]:
    match message.parts:
        case (TextPart(text=text),):
            return text
        case parts if message.role == "assistant" and all(isinstance(part, TextPart) for part in parts):
            return "\n".join(part.text for part in parts if isinstance(part, TextPart))
        case parts:
            return [_part(part, limits, picture_format) for part in parts]


def _part(part: TextPart | ImagePart, limits: SizeLimits, picture_format: PictureFormat) -> dict[Any, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": data_uri(part.pixels, limits, picture_format)}}
