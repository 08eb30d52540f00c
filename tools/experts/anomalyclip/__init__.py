"""AnomalyCLIP: learnt words for "good" and "damaged" that fit any product, read by a frozen CLIP.

Zhou et al., "AnomalyCLIP: Object-agnostic Prompt Learning for Zero-shot Anomaly Detection", ICLR 2024,
arXiv 2310.18961. Written from the paper and from the layout of its published checkpoints.

    settings.py     what may be chosen; no torch         layouts.py      folders of marked pictures; no torch
    files.py        which files it needs, where they lie and the commands that bring them; no torch
    attention.py    attention, plain and with values in the place of queries and keys
    clip.py         CLIP itself, both towers             clip_files.py   CLIP's weights from a file
    prompts.py      the learnt words                     prompt_files.py prompts from and to a file
    model.py        pictures -> probabilities and maps   losses.py, training.py   learning the words
    expert.py       the perception expert
"""
