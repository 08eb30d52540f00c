"""MMAD's published way of asking, so that numbers stand beside the published rows (Jiang, ICLR 2025)."""
