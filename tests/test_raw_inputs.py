"""What pipelines of every task take and return: iterators, options, tensors."""

import json
from itertools import count, islice

import helpers
import keras
import numpy as np
import pytest
from PIL import Image

from keras_fm import pipelines
from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.explanation.explanation import explain
from keras_fm.models import building, loading
from keras_fm.models.spec import ModelSpec
from keras_fm.registry import find
from keras_fm.serving.streams import BATCH

ROW = {
    "carat": 1.0, "cut": "Ideal", "color": "E", "clarity": "SI1",
    "depth": 61.0, "table": 55.0, "x": 6.4, "y": 6.4, "z": 3.9,
}  # fmt: skip

# A raw input of each task, and a small model of it.
INPUTS = {
    "image-classification": ("cifar_cnn_basic", helpers.image(9, 8), {}),
    "tabular-regression": ("linear_regression", ROW, {}),
    "text-classification": ("lstm", "a good film", {"units": 8, "width": 8}),
    "text-generation": ("char_lstm", "ROMEO", {"units": 16, "width": 8}),
    "image-generation": ("gan", "Sneaker", {}),
    "fill-mask": ("mini_bert", "a [MASK] film", {"depth": 1, "width": 32, "heads": 4}),
}
CLASSIFIERS = [task for task in INPUTS if task.endswith("classification")]
OPTIONS = {"text-generation": {"length": 3}}


@pytest.fixture(scope="module", params=helpers.thorough(INPUTS))
def task(request):
    """Name of each task."""
    return request.param


@pytest.fixture(scope="module")
def pipes():
    """A pipeline of each task."""
    keras.utils.set_random_seed(0)
    made = {}
    for task, (name, _, small) in INPUTS.items():
        package, _ = find(name)
        if task == "fill-mask":
            model = building.build(ModelSpec.of_pretraining(package), **small)
        else:
            model = loading.get(name, weights=None, **small)
        made[task] = pipelines.pipeline(model)
    return made


def test_an_iterator_becomes_an_iterator_of_the_same_predictions(task, pipes):
    pipe, item, options = pipes[task], INPUTS[task][1], OPTIONS.get(task, {})
    total = BATCH + 2
    expected = pipe([item] * total, **options)
    stream = pipe((item for _ in range(total)), **options)
    assert not isinstance(stream, list)
    predictions = list(stream)
    assert len(predictions) == total
    for prediction, other in zip(predictions, expected, strict=True):
        assert prediction.keys() == other.keys()
        assert prediction.get("label") == other.get("label")
        assert prediction.get("seed") == other.get("seed")  # it goes on over the batches
        assert prediction.get("text") == other.get("text")
    assert list(pipe(iter([]), **options)) == []


def test_an_endless_iterator_is_read_in_batches(pipes):
    numbers = count()
    stream = pipes["tabular-regression"]({**ROW, "carat": float(n)} for n in numbers)
    assert len(list(islice(stream, 3))) == 3
    assert next(numbers) == BATCH


def test_an_error_in_an_iterator_says_where(pipes):
    rows = [*[ROW] * BATCH, {**ROW, "carat": "heavy"}]
    with pytest.raises(InvalidInputError, match=f"inputs from number {BATCH} on, .*carat"):
        list(pipes["tabular-regression"](iter(rows)))


def test_options_of_an_iterator_are_checked_at_once(pipes):
    with pytest.raises(UnknownNameError, match="no option 'sed'"):
        pipes["image-generation"](iter(["Sneaker"]), sed=1)


def test_an_open_file_is_no_iterator_of_inputs(pipes, tmp_path):
    (tmp_path / "a.png").write_bytes(helpers.encode(helpers.image(9, 8)))
    with (tmp_path / "a.png").open("rb") as file:
        assert len(pipes["image-classification"](file)) == 1


def test_preprocess_returns_what_the_model_takes(task, pipes):
    pipe, item = pipes[task], INPUTS[task][1]
    tensors = pipe.preprocess([item, item])
    names = [tensor.name for tensor in pipe.model.inputs]
    arrays = tensors if isinstance(tensors, dict) else {names[0]: tensors}
    assert sorted(arrays) == sorted(names)
    for tensor in pipe.model.inputs:
        array = arrays[tensor.name]
        assert isinstance(array, np.ndarray)
        assert array.dtype == tensor.dtype
        assert len(array) == 2
        assert all(x in (None, y) for x, y in zip(tensor.shape, array.shape, strict=True))
    assert len(pipe.model.predict(tensors, verbose=0)) == 2


@pytest.mark.parametrize("task", CLASSIFIERS)
def test_preprocess_and_the_model_are_the_pipeline(task, pipes):
    pipe, item = pipes[task], INPUTS[task][1]
    logits = np.asarray(pipe.model(pipe.preprocess(item)))
    [prediction] = pipe(item)
    expected = helpers.softmax(logits)[0]
    np.testing.assert_allclose([*prediction["probabilities"].values()], expected, atol=1e-6)


def test_preprocess_takes_the_seed_of_a_generator(pipes):
    first, second = (pipes["image-generation"].preprocess("Sneaker", seed=seed) for seed in (1, 2))
    assert (first["latent"] != second["latent"]).any()
    with pytest.raises(UnknownNameError, match="no option 'seed'"):
        pipes["image-classification"].preprocess(helpers.image(9, 8), seed=1)


@pytest.mark.parametrize("task", CLASSIFIERS)
def test_top_k_returns_sorted_labels_and_scores(task, pipes):
    pipe, item = pipes[task], INPUTS[task][1]
    [prediction] = pipe(item)
    ranked = sorted(prediction["probabilities"].items(), key=lambda pair: -pair[1])
    for top_k in (1, 2, 99):
        expected = [{"label": label, "score": score} for label, score in ranked[:top_k]]
        assert pipe(item, top_k=top_k) == [expected]
        assert list(pipe(iter([item]), top_k=top_k)) == [expected]
        always = pipelines.pipeline(pipe.model, top_k=top_k)
        assert always(item) == [expected]
        assert always(item, top_k=None) == [prediction]
    for [best] in json.loads(json.dumps(pipe([item] * 2, top_k=1))):
        assert best == {"label": ranked[0][0], "score": pytest.approx(ranked[0][1], abs=1e-5)}


@pytest.mark.parametrize("top_k", [0, -1, 1.5, "3", True])
def test_top_k_is_a_whole_number_from_1(top_k, pipes):
    pipe = pipes["image-classification"]
    with pytest.raises(InvalidInputError, match="top_k is a whole number from 1; received"):
        pipe(helpers.image(9, 8), top_k=top_k)
    with pytest.raises(InvalidInputError, match="top_k is a whole number from 1; received"):
        pipelines.pipeline(pipe.model, top_k=top_k)


def test_top_k_is_one_of_classifiers(task, pipes):
    if task not in CLASSIFIERS:
        with pytest.raises(UnknownNameError, match="no option 'top_k', which is one of classif"):
            pipes[task](INPUTS[task][1], top_k=2)


def test_an_image_of_pillow_stands_alone(pipes):
    image = Image.fromarray(helpers.image(9, 8))
    pipe = pipes["image-classification"]
    assert pipe(image) == pipe([image]) == pipe(helpers.image(9, 8))


def test_explain_takes_iterators(pipes):
    for task in ("image-classification", "tabular-regression", "text-classification"):
        explanation = explain(pipes[task].model, iter([INPUTS[task][1]] * 2), method="occlusion")
        assert len(explanation.attributions) == 2
