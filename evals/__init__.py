"""Benchmarks over a plain function that inspects; they know nothing of how it is wired."""
