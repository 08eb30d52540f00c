"""DAPO: learnt words for "good" and for each type of defect, and learnt tokens deep in both towers of CLIP.

"Defect-aware Hybrid Prompt Optimization via Progressive Tuning for Zero-Shot Multi-type Anomaly Detection and
Segmentation", arXiv 2512.09446. Written from what the paper states; `docs/training.md` says what is
reconstruction. CLIP itself is in `tools.clip`, folders of marked pictures in `tools.marked`.

    settings.py      what prompts are learnt and read with
    files.py         the file of prompts, and the command that brings it
    card.py          how prompts were made           model_card.py     the same in words

    prompts.py       all that is learnt              towers.py         both towers with learnt tokens in them
    checkpoints.py   prompts from and to a file      opening.py        a model from its two files
    model.py         pictures -> probabilities

    expert.py        the perception expert, as `tools.experts.prompted` makes them
    lessons.py       what is learnt from             training.py       learning it

Prompts, towers, checkpoints, model, opening and training import torch.
"""
