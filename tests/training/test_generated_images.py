import helpers
import numpy as np
import pytest

import keras_fm
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.models import loading, spec
from keras_fm.models.spec import spec_of
from keras_fm.training import generated_images


@pytest.fixture
def generator(tiny_gan, tmp_path):
    file = tmp_path / "tiny_gan.keras"
    keras_fm.get("tiny_gan", weights=None).save(file)
    return str(file)


@pytest.fixture
def learner(tiny_gan):
    """The identity of a model that is to know two of the generator's classes."""
    return spec_of(keras_fm.get("tiny_net")).with_labels(["ship", "frog"])


def test_images_are_added_to_each_class(learner, generator):
    examples = Examples(helpers.noise(6).inputs, np.array([0, 0, 0, 0, 1, 1]), "mine")
    more = generated_images.add_generated(examples, learner, generator, 1.5, seed=0)
    assert np.bincount(more.targets).tolist() == [4 + 6, 2 + 3]
    np.testing.assert_array_equal(more.inputs[:6], examples.inputs)
    assert (more.inputs.shape, more.inputs.dtype) == ((15, 32, 32, 3), np.uint8)
    assert more.description == f"mine, and 9 drawn by {generator}"
    again, other = (
        generated_images.add_generated(examples, learner, generator, 1.5, s) for s in (0, 1)
    )
    np.testing.assert_array_equal(more.inputs, again.inputs)
    assert not np.array_equal(more.inputs, other.inputs)


def test_a_generator_of_other_classes_is_named(learner, generator):
    generated_images.check_generator(generator, learner)
    with pytest.raises(DataError, match=r"draws no 'fork'\. Did you mean 'frog'"):
        generated_images.check_generator(generator, learner.with_labels(["ship", "fork"]))
    with pytest.raises(InvalidInputError, match="received 'tiny_net' for 'tiny_net'"):
        generated_images.check_generator("tiny_net", learner)
    words = spec.default_spec(loading.registry.find("lstm")[0])
    with pytest.raises(InvalidInputError, match="for 'lstm'"):
        generated_images.check_generator(generator, words)
