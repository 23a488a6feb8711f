"""Knowledge distillation: a training whose targets are another model's outputs, too."""

from pathlib import Path

import keras
import numpy as np

from keras_fm.data.batches import Batches
from keras_fm.data.examples import Examples, concatenate, take_rows
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.files import atomic_write
from keras_fm.models.loading import resolve_model
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.models.transfer import copy_weights
from keras_fm.progress import current_verbose, say, track
from keras_fm.registry.recipe import OWN_DATA
from keras_fm.training.jobs import TrainingJob

OUTPUTS_FILE = "teacher.npy"
_CHUNK = 2048  # examples between two updates of the progress bar


def check_teacher(job: TrainingJob) -> None:
    """Check that the model of a training can learn from the teacher that its recipe names.

    Raises:
        InvalidInputError: The teacher has another task, target, classes or inputs, or models of the
            task don't learn from one; or a user's own data are to have an unlabeled split.
        UnknownNameError: There is no such model.
        DataError: The data have no such unlabeled split.
    """
    recipe = job.recipe
    if not recipe.teacher:
        return
    job.task.objective.check_distillation(recipe)
    teacher = spec_of(resolve_model(recipe.teacher))
    for name, title in {"task_name": "task", "labels": "classes", "target": "target"}.items():
        expected, received = getattr(job.spec, name), getattr(teacher, name)
        if expected != received:
            raise InvalidInputError(
                f"teacher={recipe.teacher!r}: expected a model of the same {title}, {expected}, as "
                f"{job.spec.name}; received one of {received}"
            )
    try:
        teacher.task.data.check(job.examples)
    except DataError as error:
        raise InvalidInputError(
            f"teacher={recipe.teacher!r} does not take the inputs of the training: {error}"
        ) from None
    if recipe.unlabeled_split:
        if recipe.dataset == OWN_DATA:
            raise InvalidInputError(
                f"unlabeled_split={recipe.unlabeled_split!r} is a split of a TFDS data set; this "
                "training is on your own data: leave it out"
            )
        _unlabeled_examples(job)


def distill(model: keras.Model, job: TrainingJob, folder: Path) -> tuple[keras.Model, Batches]:
    """Return what trains a model on labels and on its teacher's outputs, and the batches for it.

    Args:
        model: The model.
        job: Whose recipe names a teacher.
        folder: Keeps the teacher's outputs for a training that resumes.
    """
    task, recipe = job.task, job.recipe
    inputs, num_unlabeled = job.examples.inputs, 0
    if recipe.unlabeled_split:
        unlabeled = _unlabeled_examples(job)
        inputs, num_unlabeled = concatenate([inputs, unlabeled.inputs]), len(unlabeled)
    teacher, outputs = _build_teacher(job), None
    if not task.data.teacher_sees_batches:
        outputs = _teacher_outputs(teacher, inputs, folder / OUTPUTS_FILE)
        teacher = None
    targets = task.objective.distillation_targets(job.examples, num_unlabeled, outputs, recipe)
    examples = Examples(inputs, targets, job.examples.description)
    batches = task.data.batches(examples, recipe, job.seed)
    return task.objective.distillation_trainer(model, teacher, recipe), batches


def _unlabeled_examples(job: TrainingJob) -> Examples:
    return job.task.data.load_dataset(job.recipe.dataset, job.recipe.unlabeled_split)


def _build_teacher(job: TrainingJob) -> keras.Model:
    """Return the teacher in the precision of the training, and for its sizes of images."""
    pretrained = resolve_model(job.recipe.teacher)
    teacher = spec_of(pretrained).task.build(job.recipe, job.seed)
    copy_weights(pretrained, teacher, [layer.name for layer in teacher.layers])
    return teacher


def _teacher_outputs(teacher: keras.Model, inputs: object, file: Path) -> np.ndarray:
    """Return the outputs for all inputs; those in the file, where a training resumes."""
    if file.exists():
        return np.load(file, allow_pickle=False)
    spec: ModelSpec = spec_of(teacher)
    examples = Examples(inputs, np.zeros(0), "the training")
    starts = range(0, len(examples), _CHUNK)
    title = f"{teacher.name} predicts {len(examples):,} examples as the teacher"
    if current_verbose() == 2:  # a log file, which has no bar
        say(title)
    parts = []
    for start in track(starts, title):
        chunk = Examples(take_rows(inputs, slice(start, start + _CHUNK)), np.zeros(0), "")
        parts.append(spec.task.predictor.predict_examples(teacher, chunk))
    outputs = np.concatenate(parts)
    file.parent.mkdir(exist_ok=True)
    with atomic_write(file, "wb") as stream:
        np.save(stream, outputs)
    return outputs
