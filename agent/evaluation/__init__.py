"""Joins the product to its benchmarks: plans of an evaluation, and who answers its questions."""
