"""How classifiers of images are evaluated."""

from typing import Any

import keras
import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.tasks.classification import ClassificationObjective


class ImageObjective(ClassificationObjective):
    """Adds the accuracy by test-time augmentation."""

    def evaluate(
        self,
        model: keras.Model,
        examples: Examples,
        slice_by: str | None = None,
        *,
        outputs: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """Return `accuracy`, `cross_entropy` (nats), and `accuracy_tta`.

        The latter averages the logits of each image and of its mirror image.
        """
        if outputs is None:
            outputs = self.outputs(model, examples)
        scores = super().evaluate(model, examples, slice_by, outputs=outputs)
        mirrored = self.predictor.predict(model, examples.inputs[:, :, ::-1])
        scores["accuracy_tta"] = self.score(outputs + mirrored, examples)["accuracy"]
        return scores
