"""The last batch of a pass, where it is not full: trained on, or dropped and counted."""

import helpers
import numpy as np
import pytest
import tensorflow as tf

from keras_fm import registry
from keras_fm.data.augmentation import AugmentedImages, TabularBatches
from keras_fm.data.batches import Batches, dataset_from_arrays, dataset_from_function
from keras_fm.data.text_batches import (
    BucketedTexts,
    MaskedLMBatches,
    MaskGenerator,
    SequenceWindows,
)
from keras_fm.data.user.source import UserData
from keras_fm.models.spec import ModelSpec
from keras_fm.registry.recipe import recipe_class_of
from keras_fm.tasks.image_generation.data import GANBatches
from keras_fm.training import fine_tuning_jobs as stages
from keras_fm.training import fine_tuning_options, jobs

COUNT, BATCH_SIZE = 118, 64
INDICES = np.arange(COUNT)
IMAGES = np.zeros((COUNT, 4, 4, 3), "uint8")


def texts():
    rows = np.empty(COUNT, object)
    rows[:] = [np.full(1 + index % 40, index, "int32") for index in INDICES]
    return rows


def plain(**options):
    return Batches(INDICES, INDICES, **options)


def images(**options):
    return AugmentedImages(IMAGES, INDICES, **options)


def table(**options):
    return TabularBatches({"size": INDICES}, INDICES, **options)


def bucketed(**options):
    return BucketedTexts(texts(), INDICES, **options)


def windows(**options):
    """The characters are the numbers of the windows: the first one of each says which it is."""
    ids = np.arange(10 * (COUNT + 1) + 9)
    return SequenceWindows(ids, ids, **options)


def gan(**options):
    return GANBatches(IMAGES, INDICES, latent_dim=2, **options)


KINDS = {
    plain: "image-classification",
    images: "image-classification",
    table: "tabular-classification",
    bucketed: "text-classification",
    windows: "text-generation",
}


def make(kind, task, **fields):
    if task == "text-generation":
        fields["sequence_length"] = 10
    recipe = helpers.recipe(task, batch_size=BATCH_SIZE, **fields)
    return kind(recipe=recipe, seed=0)


@pytest.mark.parametrize(("kind", "task"), KINDS.items())
def test_a_short_batch_is_trained_on(kind, task):
    batches = make(kind, task, drop_remainder=False)
    assert len(batches) == 2
    assert (batches.examples_per_epoch, batches.num_left_out) == (COUNT, 0)
    for batches.epoch in range(3):
        targets = [np.asarray(batches[step][1]) for step in range(2)]
        assert [len(target) for target in targets] == [BATCH_SIZE, COUNT - BATCH_SIZE]
        firsts = np.concatenate([t if t.ndim == 1 else t[:, 0] // 10 for t in targets])
        assert len(np.unique(firsts)) == COUNT
    assert [len(labels) for _, labels in batches.as_dataset()] == [BATCH_SIZE, COUNT - BATCH_SIZE]


@pytest.mark.parametrize(("kind", "task"), [*KINDS.items(), (gan, "image-generation")])
def test_what_is_dropped_is_counted(kind, task):
    batches = make(kind, task)
    assert len(batches) == 1
    assert (batches.examples_per_epoch, batches.num_left_out) == (BATCH_SIZE, COUNT - BATCH_SIZE)


@pytest.mark.parametrize(("kind", "task"), KINDS.items())
@pytest.mark.parametrize("count", [BATCH_SIZE, 2 * BATCH_SIZE])
def test_without_a_remainder_nothing_changes(kind, task, count, monkeypatch):
    monkeypatch.setattr(f"{__name__}.COUNT", count)
    monkeypatch.setattr(f"{__name__}.INDICES", np.arange(count))
    monkeypatch.setattr(f"{__name__}.IMAGES", np.zeros((count, 4, 4, 3), "uint8"))
    dropping, taking = (make(kind, task, drop_remainder=drop) for drop in (True, False))
    assert len(dropping) == len(taking) == count // BATCH_SIZE
    for step in range(len(dropping)):
        np.testing.assert_array_equal(dropping[step][1], taking[step][1])


def test_a_gan_needs_full_batches():
    batches = make(gan, "image-generation", drop_remainder=False)
    assert len(batches) == 1
    assert batches.num_left_out == COUNT - BATCH_SIZE


def test_the_full_batches_of_a_bucket_have_texts_of_like_length():
    rows = np.empty(1000, object)
    rows[:] = [np.full(1 + index % 100, 7, "int32") for index in range(1000)]
    recipe = helpers.recipe("text-classification", batch_size=64, drop_remainder=False)
    batches = BucketedTexts(rows, np.arange(1000), recipe=recipe, seed=0)
    order = batches.epoch_order(np.random.default_rng(0))
    assert sorted(order) == list(range(1000))
    spreads = [np.ptp(batches.lengths[order[start : start + 64]]) for start in range(0, 960, 64)]
    assert max(spreads) < 20


def test_windows_of_a_masked_language_model_that_are_left_out_are_counted():
    recipe = helpers.recipe("fill-mask", batch_size=8, sequence_length=10)
    rows = np.empty(1, object)
    rows[:] = [np.full(10 * 21, 30, "int32")]  # 20 windows, and one for the offset
    batches = MaskedLMBatches(rows, MaskGenerator(0.2, 3, 400), recipe=recipe, seed=0)
    assert (len(batches), batches.num_left_out, batches.unit) == (2, 4, "windows")


def job_of(name, data, **overrides):
    package, _ = registry.find(name)
    return jobs.training_job(
        package, data=data, target=None, problem_type=None, seed=0, overrides=overrides
    )


OWN_IMAGES = helpers.noise(40, classes=2).inputs, list("ab") * 20
OWN_TEXTS = [f"review number {number}" for number in range(40)], list("ab") * 20


@pytest.mark.parametrize(
    ("name", "data", "drops"),
    [
        ("cifar_cnn_basic", OWN_IMAGES, False),
        ("lstm", OWN_TEXTS, False),
        ("cifar_cnn_basic", "sample", True),
        ("cifar_cnn_basic", helpers.noise(40), True),
    ],
    ids=["images", "texts", "sample", "examples"],
)
def test_a_training_on_own_data_takes_every_example(name, data, drops):
    job = job_of(name, data, validation_examples=8)
    assert job.recipe.drop_remainder == drops
    job = job_of(name, data, validation_examples=8, drop_remainder=not drops)
    assert job.recipe.drop_remainder != drops


@pytest.mark.parametrize("drops", [None, True])
def test_a_fine_tuning_takes_every_example_in_each_stage(drops):
    overrides = {} if drops is None else {"drop_remainder": drops}
    spec = ModelSpec.of(registry.find("cifar_cnn_basic")[0])
    options = fine_tuning_options.resolve_options(spec, "head_then_full", 0, overrides)
    stage_jobs = stages.fine_tuning_jobs(spec, UserData(OWN_IMAGES), None, options)
    stage_jobs["scratch"] = stages.from_scratch_job(stage_jobs[fine_tuning_options.MAIN_STAGE], 3)
    assert len(stage_jobs) == 3
    assert {job.recipe.drop_remainder for job in stage_jobs.values()} == {bool(drops)}


@pytest.mark.parametrize("name", registry.list_models())
def test_the_recipes_of_the_zoo_drop_the_remainder(name):
    package, _ = registry.find(name)
    assert "drop_remainder" not in (package.path / "recipe.toml").read_text()
    recipe_class = recipe_class_of(package.entry.task)
    assert recipe_class.__struct_defaults__
    assert helpers.recipe(package.entry.task).drop_remainder


@pytest.mark.parametrize("count", [1, BATCH_SIZE - 1, BATCH_SIZE, BATCH_SIZE + 1, COUNT])
def test_batches_of_arrays_are_the_examples_in_their_order(count):
    inputs = {"a": np.arange(count, dtype="float32"), "b": np.arange(3 * count).reshape(count, 3)}
    targets = np.arange(count) % 7
    dataset = dataset_from_arrays(inputs, targets, batch_size=BATCH_SIZE)
    batches = list(dataset.as_numpy_iterator())
    assert len(batches) == int(dataset.cardinality()) == -(-count // BATCH_SIZE)
    assert {len(y) for _, y in batches[:-1]} <= {BATCH_SIZE}
    for name, column in inputs.items():
        np.testing.assert_array_equal(np.concatenate([x[name] for x, _ in batches]), column)
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), targets)


def test_batches_of_a_function_have_its_shapes_and_dtypes():
    spec = ({"b": tf.TensorSpec((None, 2)), "a": tf.TensorSpec((None,), "int32")},)
    sizes = [3, 1, 2]

    def batch(index):
        size = sizes[index]
        return ({"a": np.full(size, index), "b": np.full((size, 2), index)},)

    dataset = dataset_from_function(batch, len(sizes), lambda: spec)
    assert dataset.element_spec == spec
    for _ in range(2):
        for index, (inputs,) in enumerate(dataset.as_numpy_iterator()):
            assert inputs["a"].tolist() == [index] * sizes[index]
            assert (inputs["a"].dtype, inputs["b"].dtype) == (np.int32, np.float32)
            assert inputs["b"].shape == (sizes[index], 2)


def test_an_error_of_a_function_is_one_of_its_batches():
    dataset = dataset_from_function(lambda index: {}[index], 1, lambda: (tf.TensorSpec((None,)),))
    with pytest.raises(tf.errors.OpError, match="KeyError"):
        next(iter(dataset))


@pytest.mark.parametrize(("kind", "task"), [*KINDS.items(), (gan, "image-generation")])
def test_no_epoch_waits_for_the_autotuning_of_tf_data(kind, task):
    assert make(kind, task).as_dataset().options().autotune.enabled is False


@pytest.mark.parametrize("count", [BATCH_SIZE, COUNT])
def test_no_validation_waits_for_it(count):
    dataset = dataset_from_arrays(IMAGES[:count], INDICES[:count], batch_size=BATCH_SIZE)
    assert dataset.options().autotune.enabled is False
