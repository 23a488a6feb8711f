"""What TensorBoard shows of a training on images."""

from keras_fm.data.batches import Batches
from keras_fm.tasks import pictures
from keras_fm.tasks.base import Images
from keras_fm.tasks.classification import ClassificationSummaries


class ImageSummaries(ClassificationSummaries):
    """The augmented images, and the confusion matrix."""

    def input_images(self, batches: Batches) -> Images:
        """Return a grid of the first augmented images."""
        images, _ = batches[0]
        return {"augmented_inputs": pictures.image_grid(images[:64], columns=8)}
