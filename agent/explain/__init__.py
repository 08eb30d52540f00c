"""How a report came about: each step in order, and exactly what a model saw and said."""
