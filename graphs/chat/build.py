"""Joins the steps into the graph of a conversation; each run of it is one turn."""

from __future__ import annotations

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from graphs.chat import nodes
from graphs.chat.listening import listen
from graphs.chat.state import ChatState
from graphs.chat.toolset import ChatTools

ChatGraph = CompiledStateGraph[ChatState, ChatTools, ChatState, ChatState]


def build_chat(checkpointer: BaseCheckpointSaver[str] | None = None) -> ChatGraph:
    """Compile the graph.

    Args:
        checkpointer: keeps conversations, so that they go on where they stopped; None keeps nothing.
    """
    graph = StateGraph(ChatState, context_schema=ChatTools)
    graph.add_node("hear", nodes.hear)
    graph.add_node("act", nodes.act)
    graph.add_node("think", nodes.think)
    graph.add_node("use", nodes.use)
    graph.add_node("speak", nodes.speak)
    graph.add_node("listen", listen)
    graph.add_node("explain", nodes.explain_from_report)
    graph.add_edge(START, "hear")
    graph.add_edge("act", END)
    graph.add_conditional_edges("think", nodes.after_thinking)
    graph.add_conditional_edges("use", nodes.after_using)
    graph.add_edge("speak", END)
    graph.add_edge("listen", END)
    graph.add_edge("explain", END)
    return graph.compile(checkpointer=checkpointer, name="chat")
