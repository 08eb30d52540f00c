"""AnomalyCLIP: learnt words for "good" and "damaged" that fit any product, read by a frozen CLIP.

Zhou et al., "AnomalyCLIP: Object-agnostic Prompt Learning for Zero-shot Anomaly Detection", ICLR 2024,
arXiv 2310.18961. Written from the paper and from the layout of its published checkpoints. CLIP itself is in
`tools.clip`, folders of marked pictures in `tools.marked`.

    settings.py      what prompts are learnt and read with
    files.py         the file of prompts, and the commands that bring it
    prompts.py       the learnt words                prompt_files.py   prompts from and to a file
    model.py         pictures -> probabilities       opening.py        a model from its two files

    expert.py        the perception expert, as `tools.experts.prompted` makes them
    training.py      learning from marked pictures

Only the rooms of the third and fourth line and training import torch.
"""
