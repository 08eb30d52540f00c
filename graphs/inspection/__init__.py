"""The inspection of one image as a LangGraph state machine."""
