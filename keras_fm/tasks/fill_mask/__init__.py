"""Filling masks: texts with masked tokens in, the most probable tokens out.

Masked language modeling is the pretraining of a BERT.
Source: Devlin et al. 2018, "BERT" (arXiv:1810.04805).
"""
