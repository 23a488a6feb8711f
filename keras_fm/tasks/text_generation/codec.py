"""Text generation by a server: prompts in, texts out."""

from typing import Any

import numpy as np

from keras_fm.options import check_float, check_int
from keras_fm.preprocessing.texts.inputs import read_texts
from keras_fm.serving.codec import Arrays, ClassNames, Codec, Predictions, to_texts
from keras_fm.serving.signatures import Signature

MAX_SEED = 2**31 - 1  # the served graph takes an int32


def seeds_of(seed: int, count: int) -> np.ndarray:
    """Return a seed for each prompt: the first one's, and the next ones in turn."""
    return np.array([(seed + row) % (MAX_SEED + 1) for row in range(count)], "int32")


def _encode(
    signature: Signature,
    inputs: Any,
    *,
    length: int = 200,
    temperature: float = 0.8,
    seed: int = 0,
) -> Arrays:
    prompts = read_texts(inputs)
    length = check_int("length", length, 0, MAX_SEED)
    seed = check_int("seed", seed, 0, MAX_SEED)
    temperature = check_float("temperature", temperature, 0.0)
    return {
        "prompt": prompts,
        "length": np.full(len(prompts), length, "int32"),
        "temperature": np.full(len(prompts), temperature, "float32"),
        "seed": seeds_of(seed, len(prompts)),
    }


def _decode(request: Arrays, response: Arrays, class_names: ClassNames) -> Predictions:
    return [{"text": text} for text in to_texts(response["text"])]


def _format(name: str, prediction: dict[str, Any], top: int) -> str:
    return name + prediction["text"]  # it continues the prompt


CODEC = Codec(
    "generate",
    frozenset({"prompt", "length", "temperature", "seed"}),
    frozenset({"text"}),
    _encode,
    _decode,
    _format,
    input_kind="text",
)
