"""The MMAD benchmark: multiple-choice questions about industrial images (Jiang et al., ICLR 2025)."""
