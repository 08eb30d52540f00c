"""Answers to questions about a report without a model, from what the report holds."""
