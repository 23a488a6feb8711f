"""Layers that Keras does not have, or that compute what its own do faster on a CPU.

The latter fall back to Keras' own computation on another backend than TensorFlow.
"""

from keras_fm.layers.attention import RotaryAttention
from keras_fm.layers.convolution import PackedConv2D
from keras_fm.layers.normalization import FusedBatchNormalization, QuickLayerNormalization
from keras_fm.layers.recurrent import QuickLSTM
from keras_fm.layers.tables import FillMissing, MeanOfMembers, PiecewiseLinear
from keras_fm.layers.texts import MaxOverText, MeanOverText, ReverseTexts

__all__ = [
    "FillMissing",
    "FusedBatchNormalization",
    "MaxOverText",
    "MeanOfMembers",
    "MeanOverText",
    "PackedConv2D",
    "PiecewiseLinear",
    "QuickLSTM",
    "QuickLayerNormalization",
    "ReverseTexts",
    "RotaryAttention",
]
