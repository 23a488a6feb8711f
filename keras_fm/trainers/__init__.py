"""Training steps that Keras' own `fit` does not have: GANs, adversarial training of texts.

May import backend and errors.
"""
