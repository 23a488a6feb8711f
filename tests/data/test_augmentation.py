import helpers
import numpy as np
import pytest

from keras_fm.data.augmentation import AugmentedImages, TabularBatches, cutout, random_translation
from keras_fm.data.examples import Examples

EVERYTHING = {"flip": "random", "random_translation": 3, "cutout": 8}


class Drawn:
    """A random generator that draws what it is told."""

    def __init__(self, *draws):
        self.draws = list(draws)

    def integers(self, low, high, size):
        draw = np.array(self.draws.pop(0))
        assert ((low <= draw) & (draw < high)).all()
        return np.broadcast_to(draw, size)


def numbered(count=12):
    """Images that hold their own number; the left half is 100 more."""
    images = np.arange(count, dtype=np.uint8).repeat(4 * 4 * 3).reshape(count, 4, 4, 3)
    images[:, :, :2] += 100
    return Examples(images, np.arange(count) % 3, "numbers")


def batches(examples=None, seed=0, **fields):
    examples = examples or numbered()
    targets = np.eye(3, dtype="float32")[examples.targets]
    return AugmentedImages(examples.inputs, targets, recipe=helpers.recipe(**fields), seed=seed)


def epoch_of(made, epoch=0):
    made.epoch = epoch
    steps = [made[step] for step in range(len(made))]
    return tuple(np.concatenate(arrays) for arrays in zip(*steps, strict=True))


def test_a_batch_is_a_function_of_seed_epoch_and_step():
    noise = helpers.noise(12)
    one, other = (batches(noise, seed=5, **EVERYTHING) for _ in range(2))
    other.epoch = 3
    _ = other[2], other[0]  # what was asked before does not matter
    one.epoch = other.epoch = 1
    for step in (2, 0, 1):
        for a, b in zip(one[step], other[step], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("change", ["seed", "epoch", "step"])
def test_another_seed_epoch_or_step_is_another_batch(change):
    noise = helpers.noise(12)
    one, other = batches(noise, seed=5), batches(noise, seed=6 if change == "seed" else 5)
    other.epoch = change == "epoch"
    assert not np.array_equal(one[0][0], other[int(change == "step")][0])


def test_every_example_comes_once_an_epoch():
    made = batches()
    assert len(made) == 3
    for epoch in range(3):
        images, targets = epoch_of(made, epoch)
        numbers = images[:, 0, 3, 0]
        assert sorted(numbers) == list(range(12))
        assert (targets.argmax(-1) == numbers % 3).all()
        assert (targets.sum(-1) == 1).all()
        assert targets.dtype == np.float32


def test_the_order_is_new_in_each_epoch():
    made = batches()
    orders = {epoch_of(made, epoch)[0][:, 0, 3, 0].tobytes() for epoch in range(4)}
    assert len(orders) == 4


def test_a_batch_that_is_not_full_is_left_out():
    made = batches(numbered(11))
    assert len(made) == 2
    assert len(epoch_of(made)[0]) == 8


def test_a_batch_is_no_larger_than_the_data():
    made = batches(numbered(3), batch_size=512)
    assert (len(made), len(made[0][0])) == (1, 3)


def test_without_augmentation_images_stay_as_they_are():
    images, _ = epoch_of(batches())
    examples = numbered()
    np.testing.assert_array_equal(images[images[:, 0, 3, 0].argsort()], examples.inputs)


def test_alternating_flips_show_both_sides_in_two_epochs():
    made = batches(flip="alternating")
    for start in (0, 1, 4):
        left_is_bright = []
        for epoch in (start, start + 1):
            images, _ = epoch_of(made, epoch)
            numbers = images.min(axis=(1, 2, 3))
            left_is_bright.append((images[:, 0, 0, 0] >= 100)[numbers.argsort()])
        assert (left_is_bright[0] ^ left_is_bright[1]).all()
        assert 0 < left_is_bright[0].sum() < 12


def test_random_flips_mirror_about_half():
    made = batches(numbered(100), batch_size=100, flip="random")
    mirrored = epoch_of(made)[0][:, 0, 0, 0] < 100
    assert 30 < mirrored.sum() < 70


def test_a_mirror_image_is_reversed_in_columns():
    noise = helpers.noise(4)
    made = batches(noise, flip="random", seed=1)
    known = {image.tobytes() for image in noise.inputs}
    mirrors = {np.ascontiguousarray(image[:, ::-1]).tobytes() for image in noise.inputs}
    seen = {image.tobytes() for image in epoch_of(made)[0]}
    assert len(seen) == 4
    assert seen <= known | mirrors
    assert seen & mirrors


def test_translate_shifts_and_reflects():
    image = np.arange(9, dtype=np.uint8).reshape(1, 3, 3, 1)
    stay, down_right, up = (
        random_translation(image, 1, Drawn([[top], [left]]))[0, :, :, 0].tolist()
        for top, left in [(1, 1), (0, 0), (2, 1)]
    )
    assert stay == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert down_right == [[4, 3, 4], [1, 0, 1], [4, 3, 4]]
    assert up == [[3, 4, 5], [6, 7, 8], [3, 4, 5]]


def test_each_image_is_shifted_by_itself():
    images = np.arange(18, dtype=np.uint8).reshape(2, 3, 3, 1)
    shifted = random_translation(images, 1, Drawn([[1, 0], [1, 1]]))
    np.testing.assert_array_equal(shifted[0], images[0])
    np.testing.assert_array_equal(shifted[1, 1:], images[1, :2])


def test_cut_out_paints_a_square():
    images = np.zeros((2, 4, 4, 3), np.uint8)
    fill = np.array([1, 2, 3], np.uint8)
    cutout(images, 2, fill, Drawn([1, -1], [1, 2]))
    first, second = (images == fill).all(-1).astype(int).tolist()
    assert first == [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert second == [[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_cut_out_fills_with_the_mean_colour():
    made = batches(numbered(12), cutout=4)
    assert made.mean_colour.tolist() == [56, 56, 56]  # 5.5 + 50, rounded
    images, _ = epoch_of(made)
    assert (images == 56).any(axis=(1, 2, 3)).all()


def test_the_originals_stay_as_they_are():
    noise = helpers.noise(12)
    before = noise.inputs.copy()
    for flip in ("none", "random", "alternating"):
        for fields in ({"cutout": 8}, {"cutout": 8, "random_translation": 2}, {}):
            epoch_of(batches(noise, flip=flip, **fields), 1)
    np.testing.assert_array_equal(noise.inputs, before)


def test_images_are_scaled_to_the_side_of_the_epoch():
    batches = augmented(epochs=2, image_sizes=[16, 32], image_size_starts=[0.0, 0.5])
    sides = []
    for epoch in range(2):
        batches.epoch = epoch
        sides.append(batches[0][0].shape[1:])
        assert batches[0][0].dtype == np.uint8
    assert sides == [(16, 16, 3), (32, 32, 3)]


def test_the_stream_is_the_batches_of_the_epoch():
    batches = augmented(epochs=2, image_sizes=[16, 32], image_size_starts=[0.0, 0.5], flip="random")
    stream = batches.as_dataset()
    for epoch in range(2):
        batches.epoch = epoch
        streamed = list(stream.as_numpy_iterator())
        assert len(streamed) == len(batches)
        for step, (images, targets) in enumerate(streamed):
            np.testing.assert_array_equal(images, batches[step][0])
            np.testing.assert_array_equal(targets, batches[step][1])


def augmented(**fields):
    return batches(helpers.noise(12), **fields)


def test_cells_of_a_table_are_hidden():
    columns = {"size": np.ones(5000, "float32"), "kind": np.full(5000, 3, "int32")}
    recipe = helpers.recipe(cell_dropout=0.1, batch_size=5000)
    (batch, targets) = TabularBatches(columns, np.arange(5000), recipe=recipe, seed=0)[0]
    assert batch["size"].dtype == np.float32
    assert batch["kind"].dtype == np.int32
    assert sorted(targets) == list(range(5000))
    hidden = np.isnan(batch["size"]), batch["kind"] == 0
    for where in hidden:
        assert 0.08 < where.mean() < 0.12
    assert 0.005 < (hidden[0] & hidden[1]).mean() < 0.02  # each by itself
    assert (batch["size"][~hidden[0]] == 1).all()
    assert (batch["kind"][~hidden[1]] == 3).all()
    assert not np.isnan(columns["size"]).any()
