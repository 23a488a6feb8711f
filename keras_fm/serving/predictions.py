"""Predictions: a list as any other, which terminals and notebooks show in a few lines."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_fm import notebook

_MAX_SHOWN = 10  # predictions
_MAX_CLASSES = 3
_MAX_CHARACTERS = 60


class PredictionList(list[Any]):
    """A list of predictions in the order of the inputs.

    It is equal to the plain list, is written to JSON as it, and shows itself in a few lines:
    `list(predictions)` shows everything.

    Attributes:
        names: Of the inputs: their paths, or their numbers.
    """

    def __init__(self, predictions: Iterable[Any] = (), names: Sequence[str] = ()) -> None:
        """Take the predictions, and the names of their inputs."""
        super().__init__(predictions)
        self.names = list(names) or [str(index) for index in range(len(self))]

    def __repr__(self) -> str:
        """Return the first predictions in Python's words, with their most probable classes."""
        lines = [_repr(prediction) for prediction in self[:_MAX_SHOWN]]
        if len(self) > _MAX_SHOWN:
            lines.append(f"... {len(self) - _MAX_SHOWN:,} more")
        return f"[{f',{chr(10)} '.join(lines)}]"

    def _repr_html_(self) -> str:
        """Return a table of the first predictions."""
        names = dict(enumerate(self.names))
        rows = [
            (notebook.escape(names.get(index, str(index))[-_MAX_CHARACTERS:]), _html(prediction))
            for index, prediction in enumerate(self[:_MAX_SHOWN])
        ]
        if len(self) > _MAX_SHOWN:
            rows.append(("", f"{len(self) - _MAX_SHOWN:,} more"))
        return notebook.table(rows, ("input", "prediction"))


def _repr(value: Any) -> str:
    if isinstance(value, dict):
        items = _shown(value) if _is_scores(value) else list(value.items())
        words = [f"{key!r}: {_repr(item)}" for key, item in items]
        return f"{{{', '.join([*words, *['...'] * (len(items) < len(value))])}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_repr, value))}]"
    if isinstance(value, np.ndarray):
        return f"<{value.dtype} {'x'.join(map(str, value.shape))}>"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str) and len(value) > _MAX_CHARACTERS:
        return f"{value[:_MAX_CHARACTERS]!r}..."
    return repr(value)


def _html(value: Any) -> str:
    """Return a prediction as a cell."""
    if isinstance(value, dict):
        if _is_scores(value):
            return _scores_html(_shown(value))
        if "image" in value:
            alt = f"{value.get('label', '')} {value.get('seed', '')}".strip()
            image = notebook.picture(value["image"], alt, "width:6em;image-rendering:pixelated")
            return f"{image} {notebook.escape(alt)}"
        if "probabilities" in value:
            return _html(value["probabilities"])
        if set(value) == {"label", "score"}:
            return _scores_html([(value["label"], value["score"])])
        return "<br>".join(map(_html, value.values()))
    if isinstance(value, list):
        return "<br>".join(map(_html, value))
    text = value if isinstance(value, str) else _repr(value)
    return notebook.escape(text).replace("\n", "<br>")


def _scores_html(scores: Iterable[tuple[str, float]]) -> str:
    return "<br>".join(f"{notebook.escape(str(name))} {score:.1%}" for name, score in scores)


def _is_scores(value: dict[Any, Any]) -> bool:
    """Return whether it holds the probabilities of classes or tokens."""
    return bool(value) and all(isinstance(score, float) for score in value.values())


def _shown(scores: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(scores.items(), key=lambda item: -item[1])[:_MAX_CLASSES]
