"""The state machines, their prompts, the decision rule and the report that they compose."""
