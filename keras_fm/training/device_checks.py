"""Which trainings can run on several devices, and whether all processes run the same."""

from collections.abc import Collection

import keras

from keras_fm.distribution.devices import current_devices
from keras_fm.errors import InvalidInputError
from keras_fm.models.weights import weights_sha256
from keras_fm.training.jobs import TrainingJob


def check_devices_of(job: TrainingJob) -> None:
    """Check that the devices can share the batches of a training, and its step.

    Raises:
        InvalidInputError: They can't.
    """
    devices, recipe = current_devices(), job.recipe
    if devices.count == 1:
        return
    batch_size = min(recipe.batch_size, len(job.examples))
    if batch_size < devices.count:
        raise InvalidInputError(
            f"devices={devices.count}: a batch of {batch_size} has too few examples for each to "
            "have one; leave out devices, or set a larger batch_size"
        )
    refused = {
        "teacher": bool(recipe.teacher),
        "ema_momentum": job.task.objective.optimizer_averages(recipe),
        "folds": bool(job.spec.folds),
        'strategy="lora"': recipe.trainable == "adapters",
    }
    for name, is_used in refused.items():
        if is_used:
            raise InvalidInputError(
                f"a training with {name} runs on one device: leave out devices and hosts"
            )
    if job.task.objective.has_custom_step(recipe) and not devices.divides_any_step:
        raise InvalidInputError(
            f"{job.spec.name} is trained by a step of its own, which several devices share on the "
            "JAX backend alone: run it with KERAS_BACKEND=jax, or leave out devices"
        )


def check_same_in_processes(
    jobs: Collection[TrainingJob], pretrained: keras.Model | None = None
) -> None:
    """Check that all processes run the same trainings, before any of them writes.

    Args:
        jobs: All of the run, in their order.
        pretrained: Whose weights the first one starts from; None for random ones.

    Raises:
        DistributedError: They don't.
    """
    devices = current_devices()
    if devices.num_processes == 1:
        return
    validations = [job.validation for job in jobs if job.validation is not None]
    devices.check_same(
        {
            "model": repr([job.spec.to_dict() for job in jobs]),
            "recipe": repr([job.recipe.to_toml() for job in jobs]),
            "seed": repr([job.seed for job in jobs]),
            "set of training data": repr([job.examples.sha256() for job in jobs]),
            "set of validation data": repr([examples.sha256() for examples in validations]),
            "set of initial weights": "" if pretrained is None else weights_sha256(pretrained),
        }
    )
