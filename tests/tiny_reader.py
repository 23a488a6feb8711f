"""Two tiny text classifiers of another distribution, one of words and one of WordPiece tokens.

The latter, `tiny_filler`, is pretrained by masked language modeling.
"""

from collections.abc import Callable
from pathlib import Path

import helpers

MODEL = '''"""A tiny text classifier."""

import keras
from keras import layers


def build(num_classes: int = 2, vocabulary_size: int = 202, width: int = 4) -> keras.Model:
    """`text_ids` [batch, length] -> logits."""
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    x = layers.Embedding(vocabulary_size, width, name="token_embedding")(text_ids)
    x = layers.Dense(width, activation="tanh", name="mix")(x)
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    x = layers.Dropout(0.5, name="embedding")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(text_ids, logits, name="tiny_reader")
'''

ENTRY = """name = "tiny_reader"
title = "A tiny text classifier"
summary = "For the tests."
task = "text-classification"
dataset = "imdb_reviews"
labels = ["negative", "positive"]
vocabulary = "vocabulary.txt"

[[inputs]]
name = "text_ids"
dtype = "int32"
shape = ["any"]
max_length = 50
description = "token IDs"
"""

WORDPIECE = """vocabulary = "vocabulary.txt"
tokenizer = "wordpiece"
pretraining = "fill-mask"
"""

RECIPE = """dataset = "imdb_reviews"
validation_examples = 56
epochs = 2
batch_size = 32
optimizer = "adam"
learning_rate = 0.01
precision = "float32"
"""

MLM_FIELDS = """sequence_length = 20
long_sequence_length = 40
long_sequence_from = 0.5
mlm_probability = 0.2
"""

FILLER = '''"""A tiny model that is pretrained by masked language modeling."""

import keras
from keras import layers, ops


def build(num_classes: int = 2, vocabulary_size: int = 400, width: int = 4) -> keras.Model:
    """`text_ids` [batch, length] -> logits."""
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    x = layers.ReversibleEmbedding(vocabulary_size, width, name="token_embedding")(text_ids)
    mask = ops.not_equal(text_ids, 0)
    x = layers.GlobalAveragePooling1D(name="embedding")(x, mask=mask)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(text_ids, logits, name="tiny_filler")


def build_for_pretraining(vocabulary_size: int = 400, width: int = 4) -> keras.Model:
    """`text_ids` [batch, length], `mask_positions` [batch, n] -> logits [batch, n, tokens]."""
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    mask_positions = keras.Input((None,), dtype="int32", name="mask_positions")
    embedding = layers.ReversibleEmbedding(vocabulary_size, width, name="token_embedding")
    x = layers.Conv1D(width, 3, padding="same", name="mix")(embedding(text_ids))
    x = ops.take_along_axis(x, mask_positions[..., None], axis=1)
    logits = layers.Activation("linear", dtype="float32", name="logits")(embedding(x, reverse=True))
    inputs = {"text_ids": text_ids, "mask_positions": mask_positions}
    return keras.Model(inputs, logits, name="tiny_filler_mlm")
'''


def install(offer: Callable[..., Path]) -> Path:
    """Install both; return the folder of `tiny_reader`."""
    site = offer({"tiny_reader": "their_zoo.tiny_reader", "tiny_filler": "their_zoo.tiny_filler"})
    entry = ENTRY.replace("tiny_reader", "tiny_filler").replace(
        'vocabulary = "vocabulary.txt"', WORDPIECE
    )
    _write(site / "tiny_reader", MODEL, ENTRY, None, _vocabulary("lstm", 200))
    _write(site / "tiny_filler", FILLER, entry, RECIPE + MLM_FIELDS, _vocabulary("mini_bert", 400))
    return site / "tiny_reader"


def _vocabulary(model: str, count: int) -> str:
    tokens = (helpers.ROOT / "zoo" / model / "vocabulary.txt").read_text("utf-8").split("\n")
    return "".join(f"{token}\n" for token in tokens[:count])


def _write(package: Path, model: str, entry: str, pretraining: str | None, vocabulary: str) -> None:
    package.mkdir()
    (package / "__init__.py").touch()
    files = {
        "model.py": model,
        "entry.toml": entry,
        "recipe.toml": RECIPE,
        "vocabulary.txt": vocabulary,
    }
    if pretraining is not None:
        files["pretraining.toml"] = pretraining
    for name, text in files.items():
        (package / name).write_text(text, "utf-8")
