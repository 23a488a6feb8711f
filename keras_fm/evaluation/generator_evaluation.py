"""What a classifier of the zoo says of generated images.

It compares their features with those of real images, and is trained on generated images alone to
classify real ones.
"""

import numpy as np

from keras_fm.data.batches import SetEpoch
from keras_fm.data.examples import Examples
from keras_fm.interrupts import interruptible
from keras_fm.logs import left_out
from keras_fm.models.backbone import backbone
from keras_fm.models.building import as_float32
from keras_fm.models.inference import TRACE_COUNT, SingleTraceModel
from keras_fm.models.loading import get
from keras_fm.models.spec import spec_of
from keras_fm.progress import DelayedBar, DurationNote, current_verbose, say
from keras_fm.tasks.base import PREDICT_BATCH_SIZE, Task

# Of the classifier trained on generated images. It has to stay a matter of minutes; what more of
# them would add, they would add to one trained on real images as well.
EPOCHS = 3


class GeneratorEvaluator:
    """A pretrained classifier of the zoo that evaluates a generator.

    Args:
        name: `"model"` or `"model.tag"`.

    Raises:
        UnknownNameError: There is no such model, or it has no weights.
    """

    def __init__(self, name: str) -> None:
        """See the class."""
        self.model = get(name)
        self.spec = spec_of(self.model)
        features = backbone(self.model).output
        self._classify_and_embed = SingleTraceModel(
            self.model.inputs, [self.model.output, features]
        )

    def predict_with_features(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the predicted labels `[images]`, and the features `[images, width]`."""
        bar = DelayedBar(f"predictions of {self.model.name}")
        with interruptible() as interrupt:
            logits, features = self._classify_and_embed.predict(
                images, batch_size=PREDICT_BATCH_SIZE, verbose=0, callbacks=[interrupt, bar]
            )
        return np.asarray(logits).argmax(-1), np.asarray(features, "float64")

    def train_on_generated(
        self, generated: Examples, images: np.ndarray, seed: int = 0
    ) -> np.ndarray:
        """Return the labels that a classifier trained on generated images predicts for `images`.

        It is the evaluator's network, trained from scratch by its recipe, in `EPOCHS` epochs.
        """
        task: Task = self.spec.task
        recipe = task.default_recipe().override(epochs=EPOCHS, validation_examples=0)
        model = task.build(recipe, seed)
        task.adapt(model, generated)
        batches = task.data.batches(generated, recipe, seed)
        trainer = task.objective.compiled_model(model, recipe, steps=len(batches) * EPOCHS)
        say(
            f"training {self.spec.name} on {len(generated):,} generated images, for the "
            f"classification accuracy score: {EPOCHS} epochs of {len(batches):,} steps"
        )
        note = DurationNote(f"training {self.spec.name}")
        with left_out("tensorflow", TRACE_COUNT), interruptible() as interrupt:
            trainer.fit(
                batches.as_dataset(),
                epochs=EPOCHS,
                callbacks=[interrupt, SetEpoch(batches), note],
                shuffle=False,
                verbose=current_verbose(),
            )
        return task.predictor.predict(as_float32(model), images).argmax(-1)
