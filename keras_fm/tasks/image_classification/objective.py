"""How classifiers of images are evaluated."""

from typing import Any

import keras

from keras_fm.data.examples import Examples
from keras_fm.tasks.classification import ClassificationObjective


class ImageObjective(ClassificationObjective):
    """Adds the accuracy by test-time augmentation."""

    def metrics(self, model: keras.Model, examples: Examples, outputs: Any) -> dict[str, float]:
        """Return `accuracy`, `cross_entropy` (nats), and `accuracy_tta`.

        The latter averages the logits of each image and of its mirror image.
        """
        scores = super().metrics(model, examples, outputs)
        mirrored = self.predictor.predict(model, examples.inputs[:, :, ::-1])
        scores["accuracy_tta"] = self.score(outputs + mirrored, examples)["accuracy"]
        return scores
