"""What is inspected, and how."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any, Final, Literal, Union, get_args, get_origin

from agent.chat.arguments import path_of
from agent.chat.chat import Chat, Command
from agent.chat.inspectors import FIXED
from agent.settings import Settings
from graphs.chat.errors import Refusal

AS_STARTED: Final = "default"
"""The value that takes a change of a setting back."""


def inspect(chat: Chat, arguments: Sequence[str]) -> None:
    """Inspect, after choosing an image and good images if they are given."""
    chat.wish("inspect", **_pictures(arguments))


def image(chat: Chat, arguments: Sequence[str]) -> None:
    """Choose the image without inspecting it."""
    if len(arguments) != 1:
        raise Refusal("give one image: /image FILE")
    chat.wish("look_at", image=arguments[0])


def template(chat: Chat, arguments: Sequence[str]) -> None:
    """Choose good images, or take them away."""
    chat.wish("look_at", **_good(arguments))


def product(chat: Chat, arguments: Sequence[str]) -> None:
    """Say what the part is, or that it is not known."""
    chat.wish("look_at", product=" ".join(arguments) or None)


def set_(chat: Chat, arguments: Sequence[str]) -> None:
    """Change one setting, inspect again, and show what differs."""
    if not arguments:
        _list_settings(chat)
        return
    if len(arguments) != 2:
        raise Refusal("give a name and a value: /set expert patchcore; /set NAME default takes it back")
    name, value = arguments
    state = chat.state
    if name in FIXED or name not in Settings.model_fields:
        chat.bench.inspectors.settings({name: value})  # says why not
    changes = {name: None if value == AS_STARTED else value}
    if state.subject.image is None:
        chat.wish("look_at", settings=changes)
        chat.screen.line(f"{name} = {value}, from the next inspection on")
        return
    before = state.case
    after = chat.wish("inspect", settings=changes)
    if before is not None and after is not None:
        chat.screen.line()
        chat.tell_difference(before, after)


def load(chat: Chat, arguments: Sequence[str]) -> None:
    """Open a report that was kept."""
    if len(arguments) != 1:
        raise Refusal("give a kept report or its folder: /load reports/short")
    chat.wish("load", report=arguments[0])


def _pictures(arguments: Sequence[str]) -> dict[str, Any]:
    if not arguments:
        return {}
    query, *good = arguments
    return {"image": query, **(_good(good) if good else {})}


def _good(arguments: Sequence[str]) -> dict[str, Any]:
    """Good images by hand, or one folder of them."""
    if len(arguments) == 1 and path_of(arguments[0]).is_dir():
        return {"templates": [], "library": arguments[0]}
    return {"templates": list(arguments), "library": None}


def _list_settings(chat: Chat) -> None:
    changed = chat.state.subject.settings
    settings = chat.bench.inspectors.settings(changed)
    for name, about in Settings.model_fields.items():
        if name in FIXED:
            continue
        mark = "*" if name in changed else " "
        chat.screen.line(f"{mark} {name} = {getattr(settings, name)}", "bold" if name in changed else "")
        chat.screen.line(f"    {about.description}", "dim")
    chat.screen.line("* differs from how the chat was started; /set NAME default takes it back", "dim")


def values_of(name: str) -> tuple[str, ...]:
    """The values that a setting can have, if it is one of a few."""
    field = Settings.model_fields.get(name)
    if field is None:
        return ()
    kinds = (
        get_args(field.annotation)
        if get_origin(field.annotation) in {Union, types.UnionType}
        else (field.annotation,)
    )
    found = [value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]
    return ("true", "false") if field.annotation is bool else tuple(map(str, found))


SUBJECT: Final = (
    Command(
        "inspect",
        "[QUERY [GOOD ...]]",
        "Inspect QUERY against good images, or what is chosen, again.",
        inspect,
        ("path",),
    ),
    Command("image", "FILE", "Choose the image, without inspecting it.", image, ("path",)),
    Command("template", "[FILE ... | FOLDER]", "Choose good images, or none.", template, ("path",)),
    Command("product", "[NAME]", "Say what the part is; nothing: not known.", product, ("product",)),
    Command(
        "set",
        "[NAME VALUE]",
        "Change a setting, inspect again and show the difference; alone: list them.",
        set_,
        ("setting", "value"),
    ),
    Command("load", "REPORT", "Open a kept report, or its folder.", load, ("path",)),
)
