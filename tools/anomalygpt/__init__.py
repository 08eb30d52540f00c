"""AnomalyGPT: a language model that hears an anomaly map, and answers without any threshold.

Gu et al., "AnomalyGPT: Detecting Industrial Anomalies using Large Vision-Language Models", AAAI 2024,
arXiv 2308.15366. Written from the paper. The image encoder is any CLIP (`tools.clip`), the language model any
causal one that transformers opens.

    answers.py       what is asked, what is answered, and how an answer is understood
    settings.py      sizes of what is learnt          card.py          what stands beside it
    states.py        words for good and damaged       encoder.py       pictures and words through CLIP
    decoder.py       patches beside words -> a map    memory_bank.py   patches beside good ones -> a map
    prompt_learner.py   a map -> soft tokens          learnt.py        all that is learnt
    language.py      the language model               lm_files.py      from its files
    model.py         pictures and questions -> answers
    checkpoints.py   from and to a file               opening.py       a model from its files
    lessons.py       marked pictures -> questions and answers
    drawing.py       defects drawn into good ones    training.py      learning from them

Only `answers.py`, `settings.py`, `card.py`, `states.py`, `lessons.py` and `drawing.py` do without torch.
"""
