"""What TensorBoard and the card show of a generator."""

import keras
import numpy as np

from keras_fm.data.batches import Batches
from keras_fm.tasks import pictures, plots
from keras_fm.tasks.base import Images, Summaries

SAMPLES = 10  # latents of the grid
SHOWN_INPUTS = 32
NEIGHBORS = 5


class GeneratorSummaries(Summaries):
    """Real images, and a grid of generated ones."""

    def input_images(self, batches: Batches) -> Images:
        """Return a grid of the first real images."""
        inputs, labels = batches[0]
        images = inputs["image"][:SHOWN_INPUTS]
        names = [self.spec.labels[label] for label in labels[: len(images)]]
        return {"augmented_inputs": plots.caption_grid(images, names, columns=8)}

    def epoch_images(self, model: keras.Model) -> Images:
        """Return a grid of the same latents after each epoch: a row a label, a column a latent."""
        grid = self.card_grid(model)
        return {"generated": plots.label_rows(grid, self.spec.labels)}

    def card_images(self, model: keras.Model) -> Images:
        """Return the grid, and images of each label beside their nearest training images."""
        grid = self._sample_grid(model).reshape(-1, SAMPLES, *self.data.shape)
        images = grid[:, :2].reshape(-1, *self.data.shape)
        training = self.data.load("train").inputs
        rows = [[image, *training[nearest(image, training, NEIGHBORS)]] for image in images]
        neighbors = np.stack(rows).reshape(-1, *self.data.shape)
        nearest_grid = pictures.image_grid(neighbors, columns=1 + NEIGHBORS)
        return {"generated": self.card_grid(model), "nearest": nearest_grid}

    def card_grid(self, model: keras.Model) -> np.ndarray:
        """Return the grid without the labels, uint8 `[rows, columns, channels]`."""
        return pictures.image_grid(self._sample_grid(model), columns=SAMPLES)

    def _sample_grid(self, model: keras.Model) -> np.ndarray:
        """Ten images of each label, from the same ten latents."""
        count = len(self.spec.labels)
        labels = np.repeat(np.arange(count), SAMPLES)
        seeds = np.tile(np.arange(SAMPLES), count)
        return self.predictor.generate_from_seeds(model, labels, seeds)


def nearest(image: np.ndarray, others: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the images that differ least, in their squared pixels."""
    flat = others.reshape(len(others), -1).astype("float32")
    return np.square(flat - image.reshape(-1)).sum(axis=1).argsort(kind="stable")[:count]
