"""What good looks like and what goes wrong: product documents, their search, and normal templates.

Nothing here knows of settings, of graphs, or of the perception tools.
"""
