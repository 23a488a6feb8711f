"""What TensorBoard shows of a training on characters."""

import keras

from keras_fm.tasks.base import Summaries

SHOWN_LENGTH = 300  # characters


class CharacterSummaries(Summaries):
    """A text that the model generates after each epoch."""

    def epoch_texts(self, model: keras.Model) -> dict[str, str]:
        """Return a text that begins a line."""
        if keras.backend.backend() != "tensorflow":
            return {}
        [prediction] = self.predictor.predict_raw(model, "", length=SHOWN_LENGTH)
        return {"generated": prediction["text"]}
