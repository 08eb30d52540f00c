"""Detection and localisation benchmarks: how well an expert's scores and maps find damaged parts.

`layouts` finds the images of a data set, `choosing` says which are learnt from and which are tested, `run`
measures them into a run folder, `metrics` makes the figures of what was measured.
"""
