"""A conversation about a part: a person's commands and a model's tool calls do the same things."""
