"""Defect types learnt from a few marked crops: picture, words about it, and numbers printed on it.

After "PFA" (progressive feature alignment) and "CMAF" (cross-modality attention fusion) of Hsu, Lee, Sun and
Wu (arXiv 2404.05183). That paper's equations, encoders and data are not public: the alignment's schedule, the
attention and the gate here are a reconstruction from its description, and so is every number that sets them.
"""
