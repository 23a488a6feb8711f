"""What TensorBoard shows of a training on images."""

import keras
import numpy as np

from keras_fm.data.batches import Batches
from keras_fm.data.examples import Examples
from keras_fm.models.backbone import backbone, head_layers
from keras_fm.tasks import plots
from keras_fm.tasks.base import Images, ProjectorPoints
from keras_fm.tasks.classification import ClassificationSummaries

SHOWN_INPUTS = 32
PROJECTOR_IMAGES = 500


class ImageSummaries(ClassificationSummaries):
    """The augmented images, what the model took for what, and embeddings."""

    def input_images(self, batches: Batches) -> Images:
        """Return a grid of the first augmented images with their labels."""
        images, targets = batches[0]
        images = images[:SHOWN_INPUTS]
        num_labels = len(self.spec.labels)  # a teacher's outputs may stand behind the labels
        labels = np.asarray(targets)[: len(images), :num_labels]
        names = [self.spec.labels[row.argmax()] if row.any() else "no label" for row in labels]
        return {"augmented_inputs": plots.caption_grid(images, names, columns=8)}

    def result_images(self, outputs: np.ndarray, examples: Examples) -> Images:
        """Return the diagrams of a classifier, and the most confident mistakes."""
        images = super().result_images(outputs, examples)
        mistakes = self.mistakes(outputs, examples)
        if len(mistakes.indices):
            captions = [
                f"{predicted} {probability:.0%}\nis {label}"
                for predicted, probability, label in zip(
                    mistakes.predicted, mistakes.probabilities, mistakes.labels, strict=True
                )
            ]
            shown = examples.inputs[mistakes.indices]
            images["most_confident_mistakes"] = plots.caption_grid(shown, captions, columns=8)
        return images

    def projector_points(self, model: keras.Model, examples: Examples) -> ProjectorPoints | None:
        """Return the embeddings of some images, with their labels and the images themselves."""
        if not head_layers(model):
            return None
        shown = examples.subset(slice(PROJECTOR_IMAGES), examples.description)
        labels = [self.spec.labels[target] for target in shown.targets]
        return ProjectorPoints(
            self.predictor.predict_examples(backbone(model), shown),
            {"label": labels, "example": [str(index) for index in range(len(shown))]},
            np.asarray(shown.inputs),
        )
