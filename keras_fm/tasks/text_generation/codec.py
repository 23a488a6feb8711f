"""Text generation by a server: prompts in, texts out."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_fm.errors import InvalidInputError
from keras_fm.options import check_float, check_int
from keras_fm.preprocessing.texts.inputs import check_text_inputs, encode_text, read_texts
from keras_fm.serving.codec import Arrays, ClassNames, Codec, Predictions, no_slices, to_texts
from keras_fm.serving.signatures import Signature

MAX_SEED = 2**31 - 1  # the served graph takes an int32
# Characters of a text that is scored or generated. Each is a step through the whole model, whose
# states are kept: a server can run out of time and of memory by one request.
MAX_LENGTH = 4000


def seeds_of(seed: int, count: int) -> np.ndarray:
    """Return a seed for each prompt: the first one's, and the next ones in turn."""
    return np.array([(seed + row) % (MAX_SEED + 1) for row in range(count)], "int32")


def check_lengths(prompts: Iterable[bytes]) -> None:
    """Raise an `InvalidInputError` where a prompt is too long."""
    for prompt in prompts:
        length = len(prompt.decode("utf-8", "replace"))
        if length > MAX_LENGTH:
            raise InvalidInputError(
                f"a prompt has at most {MAX_LENGTH:,} characters; received {length:,}"
            )


def check_options(
    *, length: int = 200, temperature: float = 0.8, seed: int = 0
) -> tuple[int, float, int]:
    """Return the options of a generation here, checked.

    Raises:
        InvalidInputError: One is no number, or outside its range.
    """
    return (
        check_int("length", length, 0, MAX_LENGTH),
        check_float("temperature", temperature, 0.0),
        check_int("seed", seed, 0, MAX_SEED),
    )


def _check(name: str, labels: Sequence[str], inputs: Any, **options: Any) -> None:
    check_text_inputs(name, labels, inputs)
    prompts = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    check_lengths(encode_text(prompt) for prompt in prompts if isinstance(prompt, str))
    check_options(**options)


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
    check=_check,
    explain_methods=(),
    slices=no_slices,
)
