"""CLIP with a vision transformer (Radford et al. 2021, arXiv 2103.00020), for methods that learn around it.

    weights.py       where its weights are looked for, without importing torch
    files.py         a model from its weights        model.py          both towers
    attention.py     attention, plain and with values in the place of queries and keys
    pictures.py      pictures as CLIP sees them      device.py         where it runs

All but `weights.py` import torch.
"""
