"""A run made visible: one HTML page that needs nothing else, and the same as Markdown."""
