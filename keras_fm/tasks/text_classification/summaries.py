"""What TensorBoard shows of a training on texts."""

from typing import Any

import keras
import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.models.backbone import backbone
from keras_fm.tasks.base import ProjectorPoints
from keras_fm.tasks.classification import ClassificationSummaries

PROJECTOR_TEXTS = 1000
MISTAKE_LENGTH = 300  # characters


class TextSummaries(ClassificationSummaries):
    """The diagrams of a classifier, its mistakes, and the embeddings of some texts."""

    def result_texts(self, outputs: np.ndarray, examples: Examples) -> dict[str, str]:
        """Return the most confident mistakes, in their first words."""
        mistakes = self.mistakes(outputs, examples)
        texts = _first_words(examples.inputs[mistakes.indices], MISTAKE_LENGTH)
        rows = zip(mistakes.predicted, mistakes.probabilities, mistakes.labels, texts, strict=True)
        lines = ["| predicted | probability | is | text |", "|---|---|---|---|"]
        lines += [
            f"| {predicted} | {probability:.1%} | {label} | {text} |"
            for predicted, probability, label, text in rows
        ]
        return {"most_confident_mistakes": "\n".join(lines)} if texts else {}

    def projector_points(self, model: keras.Model, examples: Examples) -> ProjectorPoints:
        """Return the embeddings of some texts, with their labels and first words."""
        shown = examples.subset(slice(PROJECTOR_TEXTS), examples.description)
        return ProjectorPoints(
            self.predictor.predict_examples(backbone(model), shown),
            {
                "label": [self.spec.labels[target] for target in shown.targets],
                "text": _first_words(shown.inputs, 80),
            },
        )


def _first_words(texts: Any, length: int) -> list[str]:
    """Return the beginnings of UTF-8 texts, each in a line and in a cell of a table."""
    lines = (" ".join(bytes(text).decode("utf-8", "replace").split()) for text in texts)
    return [line.replace("|", "/")[:length] for line in lines]
