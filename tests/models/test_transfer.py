import helpers
import numpy as np
import pytest

import keras_fm
from keras_fm import adapters
from keras_fm.data import datasets
from keras_fm.errors import InvalidInputError
from keras_fm.models import building


def adapted():
    model = building.replace_head(keras_fm.get("tiny_net", weights=None), ["a", "b"])
    adapters.enable(model, 2)
    return model


def quantized():
    model = building.replace_head(keras_fm.get("tiny_net", weights=None), ["a", "b"])
    model.quantize("int8")
    return model


IMAGES = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), "uint8")
VERBS = {
    "fine_tune": lambda model, path: keras_fm.fine_tune(
        model, (IMAGES, np.arange(40) % 2), class_names=["c", "d"], run_dir=path / "run"
    ),
    "export": lambda model, path: keras_fm.export(model, path / "export", warmup=False),
    "adapters.enable": lambda model, path: adapters.enable(model, 2),
    "replace_head": lambda model, path: building.replace_head(model, ["c", "d"]),
    "as_float32": lambda model, path: building.as_float32(model),
}


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
@pytest.mark.parametrize(
    ("make", "message"),
    helpers.first([(adapted, "has adapters: merge them"), (quantized, "was quantized to int8")], 1),
    ids=["adapted", "quantized"],
)
@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_model_with_other_weights_than_it_was_built_with_is_refused(
    verb, make, message, tiny_net, tmp_path
):
    model = make()
    folders = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(InvalidInputError, match=message):
        verb(model, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == folders
    assert keras_fm.pipeline(model)(IMAGES[0])[0]["label"] in ("a", "b")


@pytest.mark.parametrize(
    ("rank", "alpha"), [(0, None), (-1, None), (2.0, None), (True, None), (2, 0), (2, np.nan)]
)
def test_a_rank_or_alpha_that_is_none_is_named(rank, alpha, tiny_net):
    model = building.replace_head(keras_fm.get("tiny_net", weights=None), ["a", "b"])
    with pytest.raises(InvalidInputError, match=r"(rank|alpha) is a (whole )?number"):
        adapters.enable(model, rank, alpha)


def test_a_copy_of_an_adapted_model_predicts_the_same():
    model = keras_fm.get("linear_regression")
    rows = {
        name: column[:20]
        for name, column in model.keras_fm_spec.task.data.encode(
            datasets.sample("diamonds")
        ).inputs.items()
    }
    copy = building.as_float32(model)
    expected = model.predict(rows, verbose=0)
    np.testing.assert_allclose(copy.predict(rows, verbose=0), expected, rtol=1e-5)
