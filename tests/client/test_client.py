"""`keras_fm.Client` against a server: the same predictions as a pipeline in this process."""

import json

import helpers
import numpy as np
import odd_images
import pytest
from PIL import Image

import keras_fm
from keras_fm import cli, pipelines, registry
from keras_fm.client import MAX_BATCH
from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.exporting import warmup
from keras_fm.models import building
from keras_fm.models.spec import ModelSpec
from keras_fm.registry.entry import Input
from keras_fm.serving import rest, signatures
from keras_fm.serving.signatures import TensorInfo


@pytest.fixture(scope="module")
def local_pipelines(models):
    """The pipelines of the served models, by name."""
    return {name: pipelines.pipeline(model) for name, model in models.items()}


def raw_inputs(name, folder, diamonds):
    """Return pairs of raw inputs and options for a model."""
    images = [
        str(folder / "photo.jpg"),
        folder / "photo.jpg",
        helpers.encode(helpers.image(33, 31, seed=1)),
        helpers.image(40, 90, seed=2),
        helpers.image(32, 32, seed=3)[..., :1],
        helpers.image(9, 9, seed=4)[..., 0].astype("float32"),
    ]
    return {
        "cifar_cnn_basic": [(images, {}), (images[3], {}), (images[0], {}), (images[2], {})],
        "linear_regression": [
            (diamonds[:5], {}),
            (diamonds[0], {}),
            ({**diamonds[0], "carat": None}, {}),
            (str(folder / "rows.csv"), {}),
        ],
        "lstm": [
            (["A wonderful film!", "Dull. \ud800", "", "Ça alors \x00"], {}),
            ("I hated it", {}),
        ],
        "char_lstm": [
            (["ROMEO:", "\ud800 A ", ""], {"length": 12, "seed": 5, "temperature": 0.5}),
            ("KING", {"length": 1}),
        ],
        "gan": [(["Sneaker", "Coat", "Sneaker"], {"seed": 4}), ("Bag", {})],
    }[name]


def assert_close(actual, expected):
    """Check that predictions are equal but for the last digits."""
    assert [set(prediction) for prediction in actual] == [set(row) for row in expected]
    for prediction, expected_prediction in zip(actual, expected, strict=True):
        for key, value in expected_prediction.items():
            if key == "probabilities":
                assert list(prediction[key]) == list(value)
                probabilities = list(prediction[key].values())
                np.testing.assert_allclose(probabilities, list(value.values()), atol=1e-5)
            elif key == "value":
                assert prediction[key] == pytest.approx(value, rel=1e-5)
            elif key == "image":
                assert prediction[key].shape == value.shape
                assert abs(prediction[key].astype(int) - value).max() <= 1
            else:
                assert prediction[key] == value


def test_predictions_equal_those_of_a_pipeline(
    name, protocol, local_pipelines, server, folder, diamonds
):
    client = keras_fm.Client(getattr(server, protocol), name)
    for inputs, options in raw_inputs(name, folder, diamonds):
        assert_close(client(inputs, **options), local_pipelines[name](inputs, **options))


def test_images_of_every_kind_have_the_predictions_of_a_pipeline(protocol, local_pipelines, server):
    client = keras_fm.Client(getattr(server, protocol), "cifar_cnn_basic")
    cases = odd_images.served_files() | odd_images.other_images()
    inputs, shown = zip(*cases.values(), strict=True)
    predictions = client(inputs)
    assert_close(predictions, local_pipelines["cifar_cnn_basic"](inputs))
    for name, prediction, as_shown in zip(cases, predictions, client(shown), strict=True):
        probabilities, expected = (x["probabilities"].values() for x in (prediction, as_shown))
        np.testing.assert_allclose(list(probabilities), list(expected), atol=0.02, err_msg=name)


def test_an_iterator_becomes_an_iterator_of_predictions(
    name, local_pipelines, server, folder, diamonds
):
    client = keras_fm.Client(server.rest, name)
    inputs, options = raw_inputs(name, folder, diamonds)[0]
    items = (inputs * MAX_BATCH)[: MAX_BATCH + 2]
    stream = client(iter(items), **options)
    assert not isinstance(stream, list)
    assert_close(list(stream), list(local_pipelines[name](iter(items), **options)))


@pytest.mark.parametrize("name", ["cifar_cnn_basic", "lstm"])
def test_top_k_is_that_of_a_pipeline(name, local_pipelines, server, folder, diamonds):
    client = keras_fm.Client(server.rest, name)
    inputs, _ = raw_inputs(name, folder, diamonds)[0]
    ranked, expected = (predict(inputs, top_k=2) for predict in (client, local_pipelines[name]))
    assert [[p["label"] for p in row] for row in ranked] == [
        [p["label"] for p in row] for row in expected
    ]
    assert [len(row) for row in client(iter(inputs), top_k=1)] == [1] * len(inputs)


def test_top_k_needs_the_names_of_all_classes(monkeypatch, server, folder):
    client = keras_fm.Client(server.rest, "cifar_cnn_basic")
    monkeypatch.setattr(client, "_names_of", lambda response: None)
    [[best]] = client(folder / "photo.jpg", top_k=1)
    assert set(best) == {"label", "score"}
    with pytest.raises(InvalidInputError, match="top_k=3 needs the names of all classes"):
        client(folder / "photo.jpg", top_k=3)
    with pytest.raises(UnknownNameError, match="no option 'top_k', which is one of classifiers"):
        keras_fm.Client(server.rest, "gan")("Sneaker", top_k=3)


def test_a_folder_and_an_image_of_pillow_are_those_of_a_pipeline(local_pipelines, server, folder):
    client, pipe = (
        keras_fm.Client(server.rest, "cifar_cnn_basic"),
        local_pipelines["cifar_cnn_basic"],
    )
    with Image.open(folder / "photo.jpg") as image:
        for inputs in (folder, str(folder), image):
            assert_close(client(inputs), pipe(inputs))


@pytest.mark.parametrize("scale", [1 / 255, 1 / 300])
def test_images_from_0_to_1_are_not_sent(scale, protocol, server):
    client = keras_fm.Client(getattr(server, protocol), "cifar_cnn_basic")
    scaled = helpers.image(32, 32).astype("float32") * np.float32(scale)
    for inputs in (scaled, [helpers.image(9, 9), scaled], np.stack([scaled, scaled])):
        with pytest.raises(InvalidInputError, match=r"expected values 0\.\.255.*multiply by 255"):
            client(inputs)


def test_outputs_of_every_signature_equal_those_of_the_export(name, protocol, exports, server):
    client = keras_fm.Client(getattr(server, protocol), name)
    metadata = json.loads((exports[name] / "keras_fm.json").read_text("utf-8"))
    assert set(client.signatures) == set(metadata["signatures"])
    session = server.models[name][1]
    assert client.signatures == signatures.parse_protos(session.signatures)
    for signature, definition in client.signatures.items():
        body = (exports[name].parent / "requests" / f"{signature}.json").read_text("utf-8")
        inputs = rest.decode_request(body, definition.inputs)
        outputs = client.predict(inputs, signature)
        assert set(outputs) == set(definition.outputs)
        for output, values in session.run(signature, inputs).items():
            np.testing.assert_array_equal(outputs[output], values)


@pytest.mark.thorough
def test_masks_are_filled(tiny_reader, serve, tmp_path, capsys):
    room, _ = registry.find("tiny_filler")
    model = building.build(ModelSpec.of_pretraining(room))
    server = serve({"filler": helpers.export(model, tmp_path / "filler")})
    texts = ["a [MASK] film", "[MASK] and [MASK]"]
    expected = pipelines.pipeline(model)(texts)
    for url in (server.rest, server.grpc):
        client = keras_fm.Client(url, "filler")
        predictions = client(texts)
        assert [len(prediction["masks"]) for prediction in predictions] == [1, 2]
        for prediction, expected_prediction in zip(predictions, expected, strict=True):
            masks = zip(prediction["masks"], expected_prediction["masks"], strict=True)
            for scores, expected_scores in masks:
                assert scores == pytest.approx(expected_scores, abs=1e-6)
        assert client("none is missing") == [{"masks": []}]
    assert cli.main(["predict", "--url", server.rest, "filler", texts[0], "--top", "1"]) == 0
    token, probability = max(expected[0]["masks"][0].items(), key=lambda pair: pair[1])
    assert capsys.readouterr().out == f"{texts[0]}: {token} {probability:.1%}\n"


@pytest.mark.parametrize(
    "names", helpers.first([["面积", "楼层"], ["a b", "a-b"], ["Size", "size"]], 1)
)
def test_columns_in_other_alphabets_or_that_differ_in_a_sign_are_served(names, serve, tmp_path):
    room, _ = registry.find("linear_regression")
    columns = tuple(
        Input(name=name, dtype="float32", shape=[], description="") for name in [*names, "z"]
    )
    model = building.build(
        ModelSpec(room, "tabular-classification", ("boot", "clog"), columns, None)
    )
    kernel = model.get_layer("logits").kernel
    kernel.assign(np.random.default_rng(0).normal(size=kernel.shape))
    server = serve({"odd": helpers.export(model, tmp_path / "odd")})
    row = {"z": 0.3, names[1]: 0.2, names[0]: 0.1, "other": 7}
    expected = pipelines.pipeline(model)(row)[0]["probabilities"]
    for url in (server.rest, server.grpc):
        client = keras_fm.Client(url, "odd", class_names=["boot", "clog"])
        assert client(row)[0]["probabilities"] == pytest.approx(expected, abs=1e-6)
    readme = (tmp_path / "odd" / "README.md").read_text("utf-8")
    for name in names:
        assert f"is {name!r}" in readme


def shoe_classifier():
    """Build a classifier of a table whose columns have names that no signature can have."""
    columns = (
        Input(name="shoe size", dtype="float32", shape=[], description=""),
        Input(
            name="made in", dtype="string", shape=[], description="", categories=["Zürich", "Ulm"]
        ),
    )
    room, _ = registry.find("linear_regression")
    labels = ("boot", "clog")
    model = building.build(ModelSpec(room, "tabular-classification", labels, columns, None))
    rng = np.random.default_rng(0)
    for weights in model.get_layer("logits").weights:
        weights.assign(rng.normal(size=weights.shape))
    return model


@pytest.fixture(scope="module")
def shoes(tmp_path_factory):
    """A classifier of a table, and its export."""
    model = shoe_classifier()
    return model, helpers.export(model, tmp_path_factory.mktemp("shoes"))


def test_a_table_has_columns_of_any_name_and_classes(protocol, shoes, serve):
    model, version = shoes
    url = getattr(serve({"shoes": version}), protocol)
    rows = [{"shoe size": 43.5, "made in": "Zürich"}, {"shoe size": None, "made in": "Rom"}]
    expected = pipelines.pipeline(model)(rows)
    client = keras_fm.Client(url, "shoes", class_names=["boot", "clog"])
    assert_close(client(rows), expected)
    assert_close(client([{"shoe_size": 43.5, "made_in": "Zürich", "shoe size": 1}]), expected[:1])
    with pytest.raises(InvalidInputError, match="no column 'made_in'; received shoe size"):
        client({"shoe size": 43.5})
    with pytest.raises(InvalidInputError, match="column 'shoe_size', row 0: expected a number"):
        client({"shoe size": "large", "made in": "Ulm"})


def test_unknown_labels_are_left_out(shoes, serve):
    model, version = shoes
    url = serve({"shoes": version, "lstm": version}).rest
    rows = [{"shoe size": 43.5, "made in": "Ulm"}, {"shoe size": 20, "made in": ""}]
    expected = pipelines.pipeline(model)(rows)
    for name in ("shoes", "lstm"):  # the zoo's lstm has two labels as well, but others
        predictions = keras_fm.Client(url, name)(rows)
        for prediction, expected_prediction in zip(predictions, expected, strict=True):
            label = expected_prediction["label"]
            assert prediction["label"] == label
            probability = pytest.approx(expected_prediction["probabilities"][label], abs=1e-5)
            assert prediction["probabilities"] == {label: probability}
    for labels in (["clog", "boot"], ["boot", "clog", "mule"]):
        with pytest.raises(InvalidInputError, match=r"predicts '\w+' for class . of 2; received"):
            keras_fm.Client(url, "shoes", class_names=labels)(rows)


def test_arrays_are_sent_as_they_are(protocol, models, server):
    client = keras_fm.Client(getattr(server, protocol), "cifar_cnn_basic", version=1)
    images = helpers.noise(3).inputs
    for inputs in (images, images.tolist()):
        outputs = client.predict({"image": inputs})
        assert set(outputs) == {"label", "logits", "probabilities"}
        expected = helpers.logits(models["cifar_cnn_basic"], images)
        np.testing.assert_allclose(outputs["logits"], expected, atol=1e-5)
        assert outputs["logits"].dtype == np.float32
        assert {type(label) for label in outputs["label"]} == {bytes}
    [embedding] = client.predict({"image": images}, "features").values()
    assert embedding.shape == (3, models["cifar_cnn_basic"].get_layer("embedding").output.shape[1])
    definition = client.signatures["serving_default"]
    assert definition.inputs == {"image": TensorInfo("uint8", (None, None, None, 3))}
    assert definition.outputs["label"] == TensorInfo("string", (None,))
    generated = keras_fm.Client(getattr(server, protocol), "gan").predict(
        {"latent": np.zeros((2, 64), "float32"), "label": ["Bag", "Coat"]}
    )
    assert generated["image"].dtype == np.uint8


def test_a_request_is_no_larger_than_a_server_takes(server, diamonds):
    assert warmup.BATCH_SIZES[-1] == MAX_BATCH
    client, rows = keras_fm.Client(server.rest, "linear_regression"), diamonds[:70]
    predictions = client(rows)
    assert server.batch_sizes == [64, 6]
    assert_close([predictions[0], predictions[69]], client([rows[0], rows[69]]))


def test_an_array_of_an_image_is_sent_pixel_by_pixel():
    from keras_fm.preprocessing.images.decoding import decode_image
    from keras_fm.preprocessing.images.inputs import to_image_files

    gray = np.arange(256, dtype="uint8").reshape(16, 16, 1)
    color = helpers.image(7, 5)
    for image in (gray, color):
        [file] = to_image_files(image)
        np.testing.assert_array_equal(decode_image(file, image.shape[-1]), image)
