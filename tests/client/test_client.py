"""`keras_fm.Client` answers as a pipeline does: exports speak TF Serving's protocols."""

import json

import helpers
import numpy as np
import pytest

import keras_fm
from keras_fm import cli, client, pipelines, registry
from keras_fm.errors import InvalidInputError
from keras_fm.exporting import saved_model, warmup
from keras_fm.models import building
from keras_fm.models.spec import ModelSpec
from keras_fm.registry.entry import Input
from keras_fm.serving import rest, signatures
from keras_fm.serving.signatures import TensorInfo


@pytest.fixture(scope="module")
def here(asked):
    """Their pipelines."""
    return {name: pipelines.pipeline(model) for name, model in asked.items()}


def questions(name, folder, diamonds):
    """Raw inputs and options of a model."""
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


def assert_alike(ours, theirs):
    """Two answers, but for the last digits."""
    assert [set(answer) for answer in ours] == [set(answer) for answer in theirs]
    for one, other in zip(ours, theirs, strict=True):
        for key, value in other.items():
            if key == "probabilities":
                assert list(one[key]) == list(value)
                expected = list(value.values())
                np.testing.assert_allclose(list(one[key].values()), expected, atol=1e-5)
            elif key == "value":
                assert one[key] == pytest.approx(value, rel=1e-5)
            elif key == "image":
                assert one[key].shape == value.shape
                assert abs(one[key].astype(int) - value).max() <= 1
            else:
                assert one[key] == value


def test_it_answers_as_a_pipeline_does(name, protocol, here, server, folder, diamonds):
    ask = keras_fm.Client(getattr(server, protocol), name)
    for inputs, options in questions(name, folder, diamonds):
        assert_alike(ask(inputs, **options), here[name](inputs, **options))


def test_every_signature_answers_as_the_export_does(name, protocol, exports, server):
    ask = keras_fm.Client(getattr(server, protocol), name)
    about = json.loads((exports[name] / "keras_fm.json").read_text("utf-8"))
    assert set(ask.signatures) == set(about["signatures"])
    session = server.models[name][1]
    assert ask.signatures == signatures.parse_protos(session.signatures)
    for signature, described in ask.signatures.items():
        body = (exports[name].parent / "requests" / f"{signature}.json").read_text("utf-8")
        inputs = rest.decode_request(body, described.inputs)
        answered = ask.predict(inputs, signature)
        assert set(answered) == set(described.outputs)
        for output, values in session.run(signature, inputs).items():
            np.testing.assert_array_equal(answered[output], values)


def test_gaps_are_filled(tiny_reader, serve, tmp_path, capsys):
    room, _ = registry.find("tiny_filler")
    model = building.build(ModelSpec.of_pretraining(room))
    server = serve({"filler": saved_model.export(model, tmp_path / "filler", warmup=False)})
    texts = ["a [MASK] film", "[MASK] and [MASK]"]
    here = pipelines.pipeline(model)(texts)
    for url in (server.rest, server.grpc):
        ask = keras_fm.Client(url, "filler")
        there = ask(texts)
        assert [len(answer["masks"]) for answer in there] == [1, 2]
        for one, other in zip(there, here, strict=True):
            for gap, expected in zip(one["masks"], other["masks"], strict=True):
                assert gap == pytest.approx(expected, abs=1e-6)
        assert ask("none is missing") == [{"masks": []}]
    assert cli.main(["predict", "--url", server.rest, "filler", texts[0], "--top", "1"]) == 0
    piece, chance = max(here[0]["masks"][0].items(), key=lambda pair: pair[1])
    assert capsys.readouterr().out == f"{texts[0]}: {piece} {chance:.1%}\n"


def two_kinds():
    """A classifier of a table whose columns have names that no signature can have."""
    columns = (
        Input(name="shoe size", dtype="float32", shape=[], description=""),
        Input(
            name="made in", dtype="string", shape=[], description="", categories=["Zürich", "Ulm"]
        ),
    )
    room, _ = registry.find("linear_regression")
    labels = ("boot", "clog")
    model = building.build(
        room, ModelSpec(room.entry, "tabular-classification", labels, columns, None)
    )
    random = np.random.default_rng(0)
    for weights in model.get_layer("logits").weights:
        weights.assign(random.normal(size=weights.shape))
    return model


@pytest.fixture(scope="module")
def shoes(tmp_path_factory):
    """A classifier of a table, and its export."""
    model = two_kinds()
    return model, saved_model.export(model, tmp_path_factory.mktemp("shoes"), warmup=False)


def test_a_table_has_columns_of_any_name_and_classes(protocol, shoes, serve):
    model, version = shoes
    url = getattr(serve({"shoes": version}), protocol)
    rows = [{"shoe size": 43.5, "made in": "Zürich"}, {"shoe size": None, "made in": "Rom"}]
    here = pipelines.pipeline(model)(rows)
    ask = keras_fm.Client(url, "shoes", class_names=["boot", "clog"])
    assert_alike(ask(rows), here)
    assert_alike(ask([{"shoe_size": 43.5, "made_in": "Zürich", "shoe size": 1}]), here[:1])
    with pytest.raises(InvalidInputError, match="no column 'made_in'; received shoe size"):
        ask({"shoe size": 43.5})
    with pytest.raises(InvalidInputError, match="'shoe_size': expected numbers"):
        ask({"shoe size": "large", "made in": "Ulm"})


def test_labels_that_nobody_knows_are_left_out(shoes, serve):
    model, version = shoes
    url = serve({"shoes": version, "lstm": version}).rest
    rows = [{"shoe size": 43.5, "made in": "Ulm"}, {"shoe size": 20, "made in": ""}]
    here = pipelines.pipeline(model)(rows)
    for name in ("shoes", "lstm"):  # two labels as well, but others
        for answer, expected in zip(keras_fm.Client(url, name)(rows), here, strict=True):
            label = expected["label"]
            assert answer["label"] == label
            only = {label: pytest.approx(expected["probabilities"][label], abs=1e-5)}
            assert answer["probabilities"] == only
    for labels in (["clog", "boot"], ["boot", "clog", "mule"]):
        with pytest.raises(InvalidInputError, match=r"answers '\w+' for label . of 2; received"):
            keras_fm.Client(url, "shoes", class_names=labels)(rows)


def test_arrays_are_asked_as_they_are(protocol, asked, server):
    ask = keras_fm.Client(getattr(server, protocol), "cifar_cnn_basic", version=1)
    images = helpers.noise(3).inputs
    for inputs in (images, images.tolist()):
        answered = ask.predict({"image": inputs})
        assert set(answered) == {"label", "logits", "probabilities"}
        expected = helpers.logits(asked["cifar_cnn_basic"], images)
        np.testing.assert_allclose(answered["logits"], expected, atol=1e-5)
        assert answered["logits"].dtype == np.float32
        assert {type(label) for label in answered["label"]} == {bytes}
    [embedding] = ask.predict({"image": images}, "features").values()
    assert embedding.shape == (3, asked["cifar_cnn_basic"].get_layer("embedding").output.shape[1])
    about = ask.signatures["serving_default"]
    assert about.inputs == {"image": TensorInfo("uint8", (None, None, None, 3))}
    assert about.outputs["label"] == TensorInfo("string", (None,))
    drawn = keras_fm.Client(getattr(server, protocol), "gan").predict(
        {"latent": np.zeros((2, 64), "float32"), "label": ["Bag", "Coat"]}
    )
    assert drawn["image"].dtype == np.uint8


def test_a_request_is_no_larger_than_a_server_takes(server, diamonds):
    assert warmup.BATCH_SIZES[-1] == client.MAX_BATCH
    ask, rows = keras_fm.Client(server.rest, "linear_regression"), diamonds[:70]
    answers = ask(rows)
    assert server.seen == [64, 6]
    assert_alike([answers[0], answers[69]], ask([rows[0], rows[69]]))


def test_an_array_of_an_image_is_sent_pixel_by_pixel():
    from keras_fm.preprocessing import image_inputs, images

    grey = np.arange(256, dtype="uint8").reshape(16, 16, 1)
    colour = helpers.image(7, 5)
    for image in (grey, colour):
        [file] = image_inputs.to_image_files(image)
        np.testing.assert_array_equal(images.decode_image(file, image.shape[-1]), image)
