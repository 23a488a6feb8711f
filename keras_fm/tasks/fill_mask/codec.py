"""Filling masks by a server: texts in, the most probable tokens of each mask out."""

from collections.abc import Sequence
from typing import Any

from keras_fm.errors import InvalidInputError
from keras_fm.preprocessing.texts.inputs import check_text_inputs, encode_text, read_texts
from keras_fm.preprocessing.texts.wordpiece import MASK_TOKEN
from keras_fm.serving.codec import (
    Arrays,
    ClassNames,
    Codec,
    Predictions,
    format_top,
    no_slices,
    to_texts,
)
from keras_fm.serving.signatures import Signature


def check_mask(text: bytes) -> None:
    """Raise an `InvalidInputError` where no word of a text is masked."""
    if MASK_TOKEN.encode() not in text:
        raise InvalidInputError(
            f'expected {MASK_TOKEN} where a word is missing, as in "a {MASK_TOKEN} film"; '
            f"received {first_words(text)}"
        )


def first_words(text: bytes) -> str:
    """Return the beginning of a text, for messages."""
    return repr(text[:60].decode("utf-8", "replace"))


def _check(name: str, labels: Sequence[str], inputs: Any, **options: Any) -> None:
    check_text_inputs(name, labels, inputs)
    for text in inputs if isinstance(inputs, (list, tuple)) else [inputs]:
        if isinstance(text, str):
            check_mask(encode_text(text))


def _encode(signature: Signature, inputs: Any) -> Arrays:
    return {"text": read_texts(inputs)}


def _decode(request: Arrays, response: Arrays, class_names: ClassNames) -> Predictions:
    rows = zip(response["tokens"], response["scores"], strict=True)
    return [
        {
            "masks": [
                dict(zip(to_texts(tokens), scores.tolist(), strict=True))
                for tokens, scores in zip(text_tokens, text_scores, strict=True)
                if tokens[0]  # there is none behind the last mask of a text
            ]
        }
        for text_tokens, text_scores in rows
    ]


def _format(name: str, prediction: dict[str, Any], top: int) -> str:
    return f"{name}: " + "; ".join(format_top(mask, top) for mask in prediction["masks"])


CODEC = Codec(
    "fill_mask",
    frozenset({"text"}),
    frozenset({"tokens", "scores"}),
    _encode,
    _decode,
    _format,
    input_kind="text",
    check=_check,
    explain_methods=(),
    slices=no_slices,
)
