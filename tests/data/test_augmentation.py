import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_fm.data.augmentation import (
    AugmentedImages,
    TabularBatches,
    cutout,
    random_translation,
    resize,
)
from keras_fm.data.batches import RNG_STEPS_PER_EPOCH, SetEpoch
from keras_fm.data.examples import Examples

ALL_AUGMENTATIONS = {"flip": "random", "random_translation": 3, "cutout": 8}


class FixedDraws:
    """A random generator that returns fixed draws."""

    def __init__(self, *draws):
        self.draws = list(draws)

    def integers(self, low, high, size):
        draw = np.array(self.draws.pop(0))
        assert ((low <= draw) & (draw < high)).all()
        return np.broadcast_to(draw, size)


def numbered_images(count=12):
    """Images of the value of their index; the left half is 100 brighter."""
    images = np.arange(count, dtype=np.uint8).repeat(4 * 4 * 3).reshape(count, 4, 4, 3)
    images[:, :, :2] += 100
    return Examples(images, np.arange(count) % 3, "numbers")


def make_batches(examples=None, seed=0, **fields):
    examples = examples or numbered_images()
    targets = np.eye(3, dtype="float32")[examples.targets]
    return AugmentedImages(examples.inputs, targets, recipe=helpers.recipe(**fields), seed=seed)


def epoch_of(batches, epoch=0):
    batches.epoch = epoch
    steps = [batches[step] for step in range(len(batches))]
    return tuple(np.concatenate(arrays) for arrays in zip(*steps, strict=True))


def test_a_batch_is_a_function_of_seed_epoch_and_step():
    noise = helpers.noise(12)
    batches, same = (make_batches(noise, seed=5, **ALL_AUGMENTATIONS) for _ in range(2))
    same.epoch = 3
    _ = same[2], same[0]  # earlier batches do not matter
    batches.epoch = same.epoch = 1
    for step in (2, 0, 1):
        for array, same_array in zip(batches[step], same[step], strict=True):
            np.testing.assert_array_equal(array, same_array)


@pytest.mark.parametrize("change", ["seed", "epoch", "step"])
def test_another_seed_epoch_or_step_is_another_batch(change):
    noise = helpers.noise(12)
    batches = make_batches(noise, seed=5)
    changed = make_batches(noise, seed=6 if change == "seed" else 5)
    changed.epoch = change == "epoch"
    assert not np.array_equal(batches[0][0], changed[int(change == "step")][0])


@pytest.mark.parametrize(
    "fields", [{"flip": "random"}, {"random_translation": 3}, {"cutout": 8}], ids=str
)
def test_each_epoch_and_step_augments_alike_images_differently(fields):
    images = helpers.noise(1).inputs.repeat(12, axis=0)
    recipe = helpers.recipe(batch_size=6, **fields)
    batches = AugmentedImages(images, np.arange(12), recipe=recipe, seed=0)
    views = set()
    for batches.epoch in range(3):
        views |= {batches[step][0].tobytes() for step in range(2)}
    assert len(views) == 6


def test_every_example_occurs_once_an_epoch():
    batches = make_batches()
    assert len(batches) == 3
    for epoch in range(3):
        images, targets = epoch_of(batches, epoch)
        numbers = images[:, 0, 3, 0]
        assert sorted(numbers) == list(range(12))
        assert (targets.argmax(-1) == numbers % 3).all()
        assert (targets.sum(-1) == 1).all()
        assert targets.dtype == np.float32


def test_a_pass_over_the_data_takes_several_epochs():
    batches = make_batches(epochs_per_pass=3)
    assert len(batches) == 1
    numbers = [
        [*np.concatenate([epoch_of(batches, epoch)[0][:, 0, 3, 0] for epoch in epochs])]
        for epochs in ((0, 1, 2), (3, 4, 5))
    ]
    assert sorted(numbers[0]) == sorted(numbers[1]) == list(range(12))
    assert numbers[0] != numbers[1]


def test_the_order_differs_between_epochs():
    batches = make_batches()
    orders = {epoch_of(batches, epoch)[0][:, 0, 3, 0].tobytes() for epoch in range(4)}
    assert len(orders) == 4


def test_a_batch_that_is_not_full_is_dropped():
    batches = make_batches(numbered_images(11))
    assert len(batches) == 2
    assert len(epoch_of(batches)[0]) == 8


def test_a_batch_is_no_larger_than_the_data():
    batches = make_batches(numbered_images(3), batch_size=512)
    assert (len(batches), len(batches[0][0])) == (1, 3)


def test_without_augmentation_images_stay_as_they_are():
    images, _ = epoch_of(make_batches())
    examples = numbered_images()
    np.testing.assert_array_equal(images[images[:, 0, 3, 0].argsort()], examples.inputs)


def test_alternating_flips_show_both_sides_in_two_epochs():
    batches = make_batches(flip="alternating")
    for first_epoch in (0, 1, 4):
        is_left_bright = []
        for epoch in (first_epoch, first_epoch + 1):
            images, _ = epoch_of(batches, epoch)
            numbers = images.min(axis=(1, 2, 3))
            is_left_bright.append((images[:, 0, 0, 0] >= 100)[numbers.argsort()])
        assert (is_left_bright[0] ^ is_left_bright[1]).all()
        assert 0 < is_left_bright[0].sum() < 12


def test_random_flips_mirror_about_half():
    batches = make_batches(numbered_images(100), batch_size=100, flip="random")
    flipped = epoch_of(batches)[0][:, 0, 0, 0] < 100
    assert 30 < flipped.sum() < 70


def test_a_flipped_image_is_reversed_in_columns():
    noise = helpers.noise(4)
    batches = make_batches(noise, flip="random", seed=0)
    originals = {image.tobytes() for image in noise.inputs}
    mirrored = {np.ascontiguousarray(image[:, ::-1]).tobytes() for image in noise.inputs}
    augmented = {image.tobytes() for image in epoch_of(batches)[0]}
    assert len(augmented) == 4
    assert augmented <= originals | mirrored
    assert augmented & mirrored
    assert augmented & originals


def test_translation_shifts_and_reflects():
    image = np.arange(9, dtype=np.uint8).reshape(1, 3, 3, 1)
    unmoved, down_right, up = (
        random_translation(image, 1, FixedDraws([[top], [left]]))[0, :, :, 0].tolist()
        for top, left in [(1, 1), (0, 0), (2, 1)]
    )
    assert unmoved == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert down_right == [[4, 3, 4], [1, 0, 1], [4, 3, 4]]
    assert up == [[3, 4, 5], [6, 7, 8], [3, 4, 5]]


def test_each_image_is_translated_by_itself():
    images = np.arange(18, dtype=np.uint8).reshape(2, 3, 3, 1)
    shifted = random_translation(images, 1, FixedDraws([[1, 0], [1, 1]]))
    np.testing.assert_array_equal(shifted[0], images[0])
    np.testing.assert_array_equal(shifted[1, 1:], images[1, :2])


def test_translations_reach_the_maximum_in_both_directions():
    image = np.arange(25, dtype=np.uint8).reshape(1, 5, 5, 1)
    shifted = random_translation(image.repeat(2000, 0), 2, np.random.default_rng(0))
    centers = {divmod(int(value), 5) for value in shifted[:, 2, 2, 0]}
    assert centers == {(row, column) for row in range(5) for column in range(5)}


def test_cutout_fills_a_square():
    images = np.zeros((2, 4, 4, 3), np.uint8)
    fill = np.array([1, 2, 3], np.uint8)
    cutout(images, 2, fill, FixedDraws([1, -1], [1, 2]))
    is_filled = (images == fill).all(-1).astype(int).tolist()
    assert is_filled[0] == [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert is_filled[1] == [[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_the_center_of_a_cutout_can_be_any_pixel():
    images = np.zeros((4000, 6, 8, 1), np.uint8)
    cutout(images, 4, np.array([1], np.uint8), np.random.default_rng(0))
    rows = {(*np.flatnonzero(image.any(axis=(1, 2))),) for image in images}
    columns = {(*np.flatnonzero(image.any(axis=(0, 2))),) for image in images}
    for extents, size in ((rows, 6), (columns, 8)):
        expected = {(*range(max(0, x - 2), min(size, x + 2)),) for x in range(size)}
        assert extents == expected


def test_cutout_fills_with_the_mean_color():
    batches = make_batches(numbered_images(12), cutout=4)
    assert batches.mean_color.tolist() == [56, 56, 56]  # 5.5 + 50, rounded
    images, _ = epoch_of(batches)
    assert (images == 56).any(axis=(1, 2, 3)).all()


def test_the_originals_stay_as_they_are():
    noise = helpers.noise(12)
    originals = noise.inputs.copy()
    for flip in ("none", "random", "alternating"):
        for fields in ({"cutout": 8}, {"cutout": 8, "random_translation": 2}, {}):
            epoch_of(make_batches(noise, flip=flip, **fields), 1)
    np.testing.assert_array_equal(noise.inputs, originals)


def test_images_are_resized_to_the_image_size_of_the_epoch():
    batches = make_batches(
        helpers.noise(12), epochs=2, image_sizes=[16, 32], image_size_starts=[0.0, 0.5]
    )
    shapes = []
    for epoch in range(2):
        batches.epoch = epoch
        shapes.append(batches[0][0].shape[1:])
        assert batches[0][0].dtype == np.uint8
    assert shapes == [(16, 16, 3), (32, 32, 3)]


def test_smaller_images_are_antialiased():
    checkerboard = (np.indices((27, 27)).sum(0) % 2 * 200).astype("uint8")
    images = np.broadcast_to(checkerboard[None, :, :, None], (4, 27, 27, 3)).copy()
    batches = make_batches(
        Examples(images, np.arange(4) % 3, "x"), image_sizes=[9], image_size_starts=[0.0]
    )
    assert abs(batches[0][0][:, 2:7, 2:7].astype(int) - 100).max() < 20


@pytest.mark.parametrize("size", [9, 24, 32, 45])
def test_images_are_resized_as_by_tensorflow(size):
    images = np.random.default_rng(0).integers(0, 256, (16, 32, 28, 3), dtype="uint8")
    expected = tf.image.resize(images, (size, size), antialias=True).numpy()
    resized = resize(images, size)
    assert resized.dtype == np.uint8
    # Rounded: a half can go either way.
    assert np.abs(resized - expected).max() <= 0.5 + 1e-3


def test_the_dataset_holds_the_batches_of_the_epoch():
    batches = make_batches(
        helpers.noise(12),
        epochs=2,
        image_sizes=[16, 32],
        image_size_starts=[0.0, 0.5],
        flip="random",
    )
    dataset = batches.as_dataset()
    for epoch in range(2):
        batches.epoch = epoch
        elements = list(dataset.as_numpy_iterator())
        assert len(elements) == len(batches)
        for step, (images, targets) in enumerate(elements):
            np.testing.assert_array_equal(images, batches[step][0])
            np.testing.assert_array_equal(targets, batches[step][1])


def test_cells_of_a_table_are_dropped():
    columns = {"size": np.ones(5000, "float32"), "color": np.full(5000, 3, "int32")}
    recipe = helpers.recipe("tabular-regression", cell_dropout=0.1, batch_size=5000)
    batch, targets = TabularBatches(columns, np.arange(5000), recipe=recipe, seed=0)[0]
    assert batch["size"].dtype == np.float32
    assert batch["color"].dtype == np.int32
    assert sorted(targets) == list(range(5000))
    dropped = np.isnan(batch["size"]), batch["color"] == 0
    for mask in dropped:
        assert 0.08 < mask.mean() < 0.12
    assert 0.005 < (dropped[0] & dropped[1]).mean() < 0.02  # independently
    assert (batch["size"][~dropped[0]] == 1).all()
    assert (batch["color"][~dropped[1]] == 3).all()
    assert not np.isnan(columns["size"]).any()


def test_without_cell_dropout_cells_stay_as_they_are():
    columns = {"size": np.arange(12, dtype="float32"), "color": np.arange(12, dtype="int32")}
    recipe = helpers.recipe("tabular-regression")
    batches = TabularBatches(columns, np.arange(12), recipe=recipe, seed=0)
    assert len(batches) == 3
    for step in range(len(batches)):
        inputs, targets = batches[step]
        np.testing.assert_array_equal(inputs["size"], targets)
        np.testing.assert_array_equal(inputs["color"], targets)


def test_set_epoch_sets_the_batches_and_the_random_layers():
    """So a training that resumes at an epoch drops the same units as one that never stopped."""
    batches = make_batches()
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dropout(0.5, seed=7)(inputs))
    callback = SetEpoch(batches)
    callback.set_model(model)
    [state] = [v for v in model.non_trainable_variables if "seed_generator" in v.path]
    for epoch in (3, 1):
        model(np.ones((1, 3)), training=True)
        callback.on_epoch_begin(epoch)
        assert batches.epoch == epoch
        assert np.asarray(state).tolist() == [7, epoch * RNG_STEPS_PER_EPOCH]
