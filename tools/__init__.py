"""See and measure: images, perception experts, overlays, and the wire to a vision-language model.

Nothing here knows of settings, of graphs, or of the knowledge base.
"""
