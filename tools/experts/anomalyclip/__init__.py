"""AnomalyCLIP: learnt words for "good" and "damaged" that fit any product, read by a frozen CLIP.

Zhou et al., "AnomalyCLIP: Object-agnostic Prompt Learning for Zero-shot Anomaly Detection", ICLR 2024,
arXiv 2310.18961. Written from the paper and from the layout of its published checkpoints.

    settings.py      what prompts are learnt and read with
    files.py         the files it needs, where they lie, and the commands that bring them
    attention.py     attention, plain and with values in the place of queries and keys
    clip.py          CLIP, both towers               clip_files.py     its weights from a file
    prompts.py       the learnt words                prompt_files.py   prompts from and to a file
    model.py         pictures -> probabilities       opening.py        a model from its two files

    expert.py        the perception expert: looking.py (region of interest), calibrating.py, placing.py
    layouts.py       folders of marked pictures -> training.py, losses.py

Only the rooms of the third to the sixth line, training and losses import torch.
"""
