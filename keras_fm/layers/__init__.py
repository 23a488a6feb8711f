"""Layers and initializers that Keras lacks, or that are faster on a CPU than Keras' own.

A faster layer falls back to Keras' own computation for every option, input and backend that its
fast path does not support.

May import preprocessing, registry and errors.
"""

from keras_fm.layers.attention import RotaryMultiHeadAttention
from keras_fm.layers.convolution import PackedConv2D
from keras_fm.layers.decoder import CausalSelfAttention, TransformerDecoder
from keras_fm.layers.normalization import FastLayerNormalization, FusedBatchNormalization
from keras_fm.layers.recurrent import FastLSTM
from keras_fm.layers.sequence import (
    MaskedGlobalAveragePooling1D,
    MaskedGlobalMaxPooling1D,
    ReverseSequence,
)
from keras_fm.layers.tabular import (
    EnsembleMean,
    ImputeMissing,
    MeanProbability,
    PiecewiseLinearEncoding,
    SmoothClip,
)

__all__ = [
    "CausalSelfAttention",
    "EnsembleMean",
    "FastLSTM",
    "FastLayerNormalization",
    "FusedBatchNormalization",
    "ImputeMissing",
    "MaskedGlobalAveragePooling1D",
    "MaskedGlobalMaxPooling1D",
    "MeanProbability",
    "PackedConv2D",
    "PiecewiseLinearEncoding",
    "ReverseSequence",
    "RotaryMultiHeadAttention",
    "SmoothClip",
    "TransformerDecoder",
]
