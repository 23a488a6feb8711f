"""Learning-rate schedules that Keras does not have."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_fm")
class LinearWarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rises from zero to `peak` over the first `warmup` fraction of `steps`, then falls to zero.

    Both straight lines; behind `steps` it begins again. Source: Smith 2018, "A disciplined approach
    to neural network hyper-parameters"; the ResNet-9 and airbench recipes for CIFAR-10.
    """

    def __init__(self, peak: float, steps: int, warmup: float) -> None:
        self.peak = peak
        self.steps = steps
        self.warmup = warmup

    def __call__(self, step: Any) -> Any:
        step = ops.cast(ops.mod(step, self.steps), "float32")
        done = (step + 1) / (self.steps + 1)  # never zero, also at the ends
        falling = (1 - done) / (1 - self.warmup)
        if self.warmup == 0:
            return self.peak * falling
        return self.peak * ops.minimum(done / self.warmup, falling)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return {"peak": self.peak, "steps": self.steps, "warmup": self.warmup}
