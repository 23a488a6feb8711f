"""Filling masks by a server: texts in, the most probable tokens of each mask out."""

from typing import Any

from keras_fm.preprocessing.texts.inputs import read_texts
from keras_fm.serving.codec import Arrays, ClassNames, Codec, Predictions, format_top, to_texts
from keras_fm.serving.signatures import Signature


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
)
