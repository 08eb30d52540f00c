"""Asking for a tool: by tool calls and in JSON, with what the model, the endpoint or a liar may answer."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from tools.errors import VlmInvalid, VlmRejected
from tools.vlm.base import CallTool, Choice, ImagePart, Message, Reply, TextPart, ToolCall, ToolSpec, Usage
from tools.vlm.openai_compat import OpenAICompatibleModel
from tools.vlm.scripted import ScriptedModel

pytestmark = pytest.mark.anyio

BOX = {
    "type": "object",
    "properties": {
        "box": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 1000},
            "minItems": 4,
            "maxItems": 4,
        }
    },
    "required": ["box"],
    "additionalProperties": False,
}
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
TOOLS = CallTool((ToolSpec("zoom", "Enlarge a place.", BOX), ToolSpec("done", "Enough.", NOTHING)))
ASK = [Message("user", (TextPart("look"),))]
ZOOM = ToolCall("c1", "zoom", {"box": [1, 2, 3, 4]})
PICTURE = np.zeros((56, 56, 3), np.uint8)


def wish(tool: str, **arguments: object) -> str:
    return json.dumps({"tool": tool, "arguments": arguments})


def called(name: str, arguments: str):
    """A completion that calls a tool."""

    def behave(exchange):
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}
            ],
        }
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        exchange.send_json({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage})

    return behave


def said(text: str):
    def behave(exchange):
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        exchange.send_json({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage})

    return behave


async def test_vllm_is_asked_in_json_under_a_schema_with_the_tools_in_words(endpoint):
    endpoint.chat = said(wish("zoom", box=[1, 2, 3, 4]))
    reply = await OpenAICompatibleModel(endpoint.url).complete(ASK, constraint=TOOLS)
    assert reply.call is not None
    assert (reply.call.name, reply.call.arguments) == ("zoom", {"box": [1, 2, 3, 4]})
    (asked,) = endpoint.asked
    assert "tools" not in asked
    assert asked["response_format"]["json_schema"]["schema"]["anyOf"][0]["properties"]["tool"]["enum"] == [
        "zoom"
    ]
    told = asked["messages"][-1]["content"][-1]["text"]
    assert "zoom: Enlarge a place." in told
    assert "4 integers" in told


async def test_others_are_asked_by_tool_calls(endpoint):
    endpoint.owner = "someone"
    endpoint.chat = called("zoom", '{"box": [1, 2, 3, 4]}')
    reply = await OpenAICompatibleModel(endpoint.url).complete(ASK, constraint=TOOLS)
    assert reply.call == ZOOM
    assert reply.usage.completion_tokens == 2
    (asked,) = endpoint.asked
    assert asked["tool_choice"] == "required"
    assert "strict" not in asked["tools"][0]["function"]  # OpenAI takes only a part of JSON Schema with it
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["zoom", "done"]


async def test_vllm_is_told_to_hold_arguments_to_their_schema(endpoint):
    endpoint.chat = called("zoom", '{"box": [1, 2, 3, 4]}')
    await OpenAICompatibleModel(endpoint.url, tool_calls="native").complete(ASK, constraint=TOOLS)
    assert [tool["function"]["strict"] for tool in endpoint.asked[0]["tools"]] == [True, True]


async def test_an_endpoint_that_refuses_tool_calls_is_asked_in_json_from_then_on(endpoint):
    endpoint.owner = "someone"

    def behave(exchange):
        if "tools" in endpoint.asked[-1]:
            exchange.send_json({"error": {"message": "tools are not supported"}}, 400)
        else:
            said(wish("done"))(exchange)

    endpoint.chat = behave
    model = OpenAICompatibleModel(endpoint.url)
    for _ in range(2):
        reply = await model.complete(ASK, constraint=TOOLS)
        assert reply.call is not None
        assert reply.call.name == "done"
    assert ["tools" in asked for asked in endpoint.asked] == [True, False, False]


async def test_a_user_who_wants_tool_calls_is_told_that_they_are_refused(endpoint):
    endpoint.chat = lambda exchange: exchange.send_json({"error": {"message": "no tools"}}, 400)
    with pytest.raises(VlmRejected, match="no tools"):
        await OpenAICompatibleModel(endpoint.url, tool_calls="native").complete(ASK, constraint=TOOLS)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("zoom", '{"box": [1, 2, 3]}'),
        ("zoom", '{"box": "all"}'),
        ("rm", "{}"),
        ("zoom", '{"box": [1, 2, 3, 4], "force": true}'),
    ],
)
async def test_a_call_that_is_not_allowed_is_refused(endpoint, name, arguments):
    endpoint.chat = called(name, arguments)
    with pytest.raises(VlmInvalid):
        await OpenAICompatibleModel(endpoint.url, tool_calls="native").complete(ASK, constraint=TOOLS)


async def test_an_endpoint_that_talks_instead_of_calling_is_asked_in_json_from_then_on(endpoint):
    endpoint.owner = "someone"
    endpoint.chat = lambda exchange: said(
        "I would zoom in." if "tools" in endpoint.asked[-1] else wish("done")
    )(exchange)
    model = OpenAICompatibleModel(endpoint.url)
    for _ in range(2):
        assert (await model.complete(ASK, constraint=TOOLS)).call.name == "done"
    assert ["tools" in asked for asked in endpoint.asked] == [True, False, False]


@pytest.mark.parametrize("arguments", ["{not json", '{"box": [1, 2, 3, 4]} {}', '{"box":' * 3000])
async def test_unreadable_arguments_are_shown_and_not_taken_for_no_call(endpoint, arguments):
    endpoint.chat = called("zoom", arguments)
    with pytest.raises(VlmInvalid, match="'zoom' with arguments that are no JSON object") as met:
        await OpenAICompatibleModel(endpoint.url, tool_calls="native").complete(ASK, constraint=TOOLS)
    assert len(str(met.value)) < 250


async def test_only_the_first_of_several_calls_counts(endpoint, completes):
    def behave(exchange):
        calls = [
            {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for n, (name, arguments) in enumerate([("zoom", '{"box": [1, 2, 3, 4]}'), ("done", "{}")])
        ]
        exchange.send_json(completes(None, finish_reason="tool_calls", tool_calls=calls))

    endpoint.chat = behave
    reply = await OpenAICompatibleModel(endpoint.url, tool_calls="native").complete(ASK, constraint=TOOLS)
    assert reply.call == ToolCall("c0", "zoom", {"box": [1, 2, 3, 4]})


async def test_an_answer_to_no_call_is_its_authors_mistake(endpoint):
    there = (TextPart("there"),)
    for stray in (
        [*ASK, Message("tool", there)],
        [*ASK, Message("tool", there, call=ZOOM)],
        [*ASK, Message("assistant", (), call=ZOOM), *[Message("tool", there, call=ZOOM)] * 2],
        [*ASK, Message("assistant", (), call=ZOOM), Message("tool", there, call=ToolCall("c9", "zoom", {}))],
    ):
        with pytest.raises(ValueError, match="the call before it"):
            await OpenAICompatibleModel(endpoint.url, tool_calls="native").complete(stray)
    assert endpoint.asked == []


@pytest.mark.parametrize("style", ["native", "json"])
async def test_what_a_tool_showed_travels_with_its_picture(endpoint, style):
    endpoint.chat = said("normal")
    conversation = [
        *ASK,
        Message("assistant", (), call=ZOOM),
        Message("tool", (TextPart("there it is"), ImagePart(PICTURE, "zoom")), call=ZOOM),
        Message("user", (TextPart("verdict?"),)),
    ]
    model = OpenAICompatibleModel(endpoint.url, tool_calls=style, dialect="openai")
    endpoint.chat = said('{"choice": "normal"}')
    await model.complete(conversation, constraint=Choice(("normal", "anomalous")))
    turns = endpoint.asked[-1]["messages"]
    if style == "native":
        assert [turn["role"] for turn in turns] == ["user", "assistant", "tool", "user"]
        assert turns[1]["tool_calls"][0]["function"]["name"] == "zoom"
        assert turns[2]["content"] == "there it is"
        # One turn of the user, since some chat templates refuse two in a row.
        assert [part["type"] for part in turns[3]["content"]] == ["image_url", "text"]
    else:
        assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
        assert json.loads(turns[1]["content"]) == {"tool": "zoom", "arguments": {"box": [1, 2, 3, 4]}}
        assert [part["type"] for part in turns[2]["content"]] == ["text", "image_url", "text"]


def conversation_of_many_turns() -> list[Message]:
    """Two turns of a chat: a tool with a picture, one without, a free answer, then a tool again."""

    def used(number: int, told: str, *pictures: ImagePart, first: str = "") -> list[Message]:
        # In JSON a model gives its calls no ids of their own, so that two are alike.
        call = ToolCall("zoom", "zoom", {"box": [number, 0, 9, 9]})
        words = (TextPart(first),) if first else ()
        return [
            Message("assistant", words, call=call),
            Message("tool", (TextPart(told), *pictures), call=call),
        ]

    return [
        Message("system", (TextPart("rules"),)),
        Message("user", (TextPart("the part:"), ImagePart(PICTURE, "query"))),
        Message("user", (TextPart("what is on the left?"),)),
        *used(1, "first look", ImagePart(PICTURE, "zoom 1")),
        *used(2, "second look", first="Closer."),
        Message("assistant", (TextPart("A scratch."),)),
        Message("user", (TextPart("and on the right?"),)),
        Message("assistant", (TextPart("Let me see."),)),
        *used(3, "third look", ImagePart(PICTURE, "zoom 3"), ImagePart(PICTURE, "map")),
        Message("user", (TextPart("Use a tool, or answer."),)),
    ]


def kinds(content: str | list[dict] | None) -> str | list[str]:
    """What a turn holds: its text, or that of each part, pictures as <>."""
    return [part.get("text", "<>") for part in content] if isinstance(content, list) else content or ""


async def test_a_conversation_of_many_turns_by_tool_calls(endpoint):
    endpoint.chat = called("done", "{}")
    model = OpenAICompatibleModel(endpoint.url, tool_calls="native")
    await model.complete(conversation_of_many_turns(), constraint=TOOLS)
    turns = endpoint.asked[-1]["messages"]
    assert [(turn["role"], kinds(turn["content"])) for turn in turns] == [
        ("system", "rules"),
        ("user", ["the part:", "<>", "what is on the left?"]),
        ("assistant", ""),
        ("tool", "first look"),
        ("user", ["<>"]),
        ("assistant", "Closer."),
        ("tool", "second look"),
        ("assistant", "A scratch."),
        ("user", "and on the right?"),
        ("assistant", "Let me see."),  # with its call, as one turn
        ("tool", "third look"),
        ("user", ["<>", "<>", "Use a tool, or answer."]),
    ]
    made = [turn["tool_calls"][0] for turn in turns if turn.get("tool_calls")]
    assert [json.loads(call["function"]["arguments"])["box"][0] for call in made] == [1, 2, 3]
    answered = [turn["tool_call_id"] for turn in turns if turn["role"] == "tool"]
    assert answered == [call["id"] for call in made] == ["zoom", "zoom-2", "zoom-3"]
    assert "tool_calls" in turns[9]


async def test_a_conversation_of_many_turns_in_json(endpoint):
    endpoint.chat = said(wish("done"))
    model = OpenAICompatibleModel(endpoint.url, tool_calls="json")
    await model.complete(conversation_of_many_turns(), constraint=TOOLS)
    turns = endpoint.asked[-1]["messages"]
    looks = [wish("zoom", box=[number, 0, 9, 9]) for number in (1, 2, 3)]
    *earlier, last = [(turn["role"], kinds(turn["content"])) for turn in turns]
    assert earlier == [
        ("system", "rules"),
        ("user", ["the part:", "<>", "what is on the left?"]),
        ("assistant", looks[0]),
        ("user", ["first look", "<>"]),
        ("assistant", f"Closer.\n{looks[1]}"),
        ("user", "second look"),
        ("assistant", "A scratch."),
        ("user", "and on the right?"),
        ("assistant", f"Let me see.\n{looks[2]}"),
    ]
    role, parts = last
    assert (role, parts[:-1]) == ("user", ["third look", "<>", "<>", "Use a tool, or answer."])
    assert "zoom: Enlarge a place." in parts[-1]
    assert not any("tool_calls" in turn for turn in turns)


@pytest.mark.parametrize("style", ["native", "json"])
async def test_a_conversation_with_tools_goes_on_in_free_words_and_is_heard(endpoint, streaming, style):
    endpoint.chat = streaming("A ", "dent.")
    heard: list[str] = []
    model = OpenAICompatibleModel(endpoint.url, tool_calls=style)
    reply = await model.complete(conversation_of_many_turns(), heard=heard.append)
    assert (reply.text, heard, reply.call) == ("A dent.", ["A ", "dent."], None)
    roles = [turn["role"] for turn in endpoint.asked[-1]["messages"]]
    assert roles[0] == "system"
    assert "system" not in roles[1:]
    assert all(one != other for one, other in pairwise(roles))
    assert roles[-1] == "user"
    assert "tools" not in endpoint.asked[-1]


async def test_tools_are_told_by_the_user_even_where_the_model_spoke_last(endpoint):
    endpoint.chat = said(wish("done"))
    conversation = [*ASK, Message("assistant", (TextPart("hm"),))]
    await OpenAICompatibleModel(endpoint.url, tool_calls="json").complete(conversation, constraint=TOOLS)
    turns = endpoint.asked[-1]["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"] == "hm"


async def test_a_script_may_call_tools_and_is_held_to_them():
    model = ScriptedModel([ZOOM, wish("done"), ToolCall("c2", "zoom", {}), wish("fly")])
    assert (await model.complete(ASK, constraint=TOOLS)).call == ZOOM
    assert (await model.complete(ASK, constraint=TOOLS)).call.name == "done"
    for _ in range(2):
        with pytest.raises(VlmInvalid):
            await model.complete(ASK, constraint=TOOLS)


async def test_a_whole_reply_with_a_call_may_be_scripted():
    reply = Reply(text="let me see", usage=Usage(3, 1), seconds=0.1, call=ZOOM)
    assert await ScriptedModel([reply]).complete(ASK, constraint=TOOLS) is reply
