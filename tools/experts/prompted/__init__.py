"""What all experts have in common that compare a picture with learnt texts, whatever texts and model.

    looking.py       what of a picture is shown, and what was said of it in the picture's own frame
    calibrating.py   where the zones lie         placing.py       a measurement
    type_shares.py   which types the regions of a measurement may be of
    expert.py        the expert: two files, the model of them, zones for one product

    maps.py          maps of patches and of pixels   learning.py       what learns the texts

Only the last two import torch.
"""
