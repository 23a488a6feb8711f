"""What TensorBoard shows of a training on texts."""

import keras

from keras_fm.data.examples import Examples
from keras_fm.models.backbone import backbone
from keras_fm.tasks.base import ProjectorPoints
from keras_fm.tasks.classification import ClassificationSummaries

PROJECTOR_TEXTS = 1000


class TextSummaries(ClassificationSummaries):
    """The confusion matrix, and the embeddings of some texts."""

    def projector_points(self, model: keras.Model, examples: Examples) -> ProjectorPoints:
        """Return the embeddings of some texts, with their labels and first words."""
        shown = examples.subset(slice(PROJECTOR_TEXTS), examples.description)
        texts = [" ".join(bytes(text).decode("utf-8", "replace").split()) for text in shown.inputs]
        return ProjectorPoints(
            self.predictor.predict_examples(backbone(model), shown),
            {
                "label": [self.spec.labels[target] for target in shown.targets],
                "text": [text[:80] for text in texts],
            },
        )
