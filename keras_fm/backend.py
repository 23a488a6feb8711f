"""What runs on the TensorFlow backend alone says so here; the models themselves run on any."""

import keras

from keras_fm.errors import KerasFmError


def need_tensorflow(what: str, otherwise: str = "") -> None:
    """Raises a `KerasFmError` where Keras runs on another backend than TensorFlow.

    Args:
        what: the beginning of the sentence, such as "a SavedModel is written by".
        otherwise: what the user can do instead.
    """
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise KerasFmError(
            f"{what} the TensorFlow backend alone; this is the {backend} backend. Run it with "
            f"KERAS_BACKEND=tensorflow{otherwise}"
        )
