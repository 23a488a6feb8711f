import keras
import numpy as np
import pytest
from PIL import Image

from keras_fm import cli, pipelines, registry
from keras_fm.data import datasets
from keras_fm.errors import InvalidInputError
from keras_fm.explanation import attribution, explanation
from keras_fm.models import building, loading, spec

DIAMOND = {
    "carat": 1.0, "cut": "Ideal", "color": "E", "clarity": "SI1",
    "depth": 61.0, "table": 55.0, "x": 6.4, "y": 6.4, "z": 3.9,
}  # fmt: skip


@pytest.fixture
def reader(tiny_reader):
    """A tiny reader that finds "great" favourable, "bad" not, and knows no other word."""
    room, _ = registry.find("tiny_reader")
    model = building.build(spec.ModelSpec.of(room))
    known = (tiny_reader / "vocabulary.txt").read_text("utf-8").split("\n")
    vectors = np.zeros(model.get_layer("token_embedding").embeddings.shape)
    vectors[2 + known.index("great")], vectors[2 + known.index("bad")] = 3, -2
    model.get_layer("token_embedding").set_weights([vectors])
    model.get_layer("mix").set_weights([np.eye(4), np.zeros(4)])
    model.get_layer("logits").set_weights([np.tile([-1.0, 1.0], (4, 1)), np.zeros(2)])
    return model


@pytest.fixture
def bert():
    room, _ = registry.find("mini_bert")
    return building.build(spec.ModelSpec.of(room), depth=2)


def test_the_words_that_decide_are_found(reader):
    why = explanation.explain(reader, "A great film with bad music")
    [text] = why.inputs
    assert why.method == "occlusion"
    assert text.answer["label"] == "positive"
    assert text.parts[:3] == ("a", "great", "film")
    assert text.parts[text.scores.argmax()] == "great"
    assert text.parts[text.scores.argmin()] == "bad"
    assert str(why).startswith("positive ")
    assert "for: great +" in str(why)
    assert "against: bad -" in str(why)


def test_a_score_is_by_how_much_the_log_odds_fall(reader):
    without = pipelines.pipeline(reader)(["a great film", "a zyxwv film"])
    odds = [np.log(a["probabilities"]["positive"] / a["probabilities"]["negative"])
            for a in without]  # fmt: skip
    [text] = explanation.explain(reader, "a great film").inputs
    assert text.scores[1] == pytest.approx(odds[0] - odds[1], rel=1e-4)


def test_log_odds():
    logits = np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0]])
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = np.log(shares[:, 1] / (1 - shares[:, 1]))
    np.testing.assert_allclose(attribution.log_odds(logits, 1), expected)


def test_a_column_counts_by_what_is_answered_without_it():
    [row] = explanation.explain("linear_regression", DIAMOND).inputs
    ask = pipelines.pipeline("linear_regression")
    [whole], [unweighed], [uncut] = (
        ask({**DIAMOND, **change}) for change in ({}, {"carat": float("nan")}, {"cut": "?"})
    )
    scores = dict(zip(row.parts, row.scores, strict=True))
    assert row.answer == whole
    assert scores["carat 1"] == pytest.approx(whole["value"] - unweighed["value"], rel=1e-4)
    assert scores["cut Ideal"] == pytest.approx(whole["value"] - uncut["value"], rel=1e-4)
    assert len(scores) == len(DIAMOND)


def test_a_hidden_square_counts_for_its_pixels():
    image = np.zeros((32, 32, 1), "float32")
    image[:8, :8] = 255
    places, hidden = zip(*attribution.occluded_squares(image), strict=True)
    corner = image.mean(axis=-1)[:8, :8].mean() - np.stack(hidden)[:, :8, :8, 0].mean(axis=(1, 2))
    scores = attribution.upsample_scores(places, corner, image.shape)
    assert scores.shape == (32, 32)
    assert scores[:8, :8].min() > 50
    assert (scores[16:] == 0).all()
    assert (scores[:, 16:] == 0).all()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="says that it needs it")
def test_grad_cam_finds_what_the_answer_is_made_of():
    given = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(2, 1, use_bias=False, name="maps")(given)
    logits = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(given, logits)
    model.get_layer("maps").set_weights([np.array([[[[1.0, -1.0]]]])])
    model.layers[-1].set_weights([np.eye(2), np.zeros(2)])
    image = np.zeros((1, 8, 8, 1), "float32")
    image[0, 1, 6] = 1
    [heat] = attribution.grad_cam(model, image)
    assert np.unravel_index(heat.argmax(), heat.shape) == (1, 6)
    assert heat.max() == pytest.approx(1)
    assert heat.sum() == pytest.approx(1)


@pytest.mark.parametrize("method", ["grad_cam", "occlusion"])
def test_an_image_is_drawn_beside_what_counts(method, small_run, tmp_path):
    images = datasets.sample("cifar10").inputs[:3]
    why = explanation.explain(small_run.model, images, method=method)
    assert [one.answer for one in why.inputs] == pipelines.pipeline(small_run.model)(images)
    assert all(one.scores.shape == (32, 32) for one in why.inputs)
    picture = np.asarray(Image.open(why.save(tmp_path / "new" / "why.png")))
    assert picture.shape == (3 * 256, 2 * 256, 3)
    np.testing.assert_array_equal(picture[4:256:8, 4:256:8], images[0])
    assert (picture[:256, :256] != picture[:256, 256:]).any()
    with pytest.raises(InvalidInputError, match=r"why\.png exists; name another file"):
        why.save(tmp_path / "new" / "why.png")


def test_attention_is_shared_out_over_the_text(bert, tmp_path):
    texts = ["A dull film, but great actors.", ""]
    why = explanation.explain(bert, texts, method="attention")
    longer, empty = why.inputs
    count = len(longer.parts)
    assert longer.parts[0] == "[CLS]"
    assert longer.attention.shape == (2, 4, count, count)
    np.testing.assert_allclose(longer.attention.sum(axis=-1), 1, rtol=1e-5)
    assert longer.scores.sum() == pytest.approx(1, rel=1e-5)
    assert len(empty.parts) == len(empty.scores)
    page = why.save(tmp_path / "why.html").read_text("utf-8")
    assert page.count("<img") == 2 * 2 * 4
    assert ">dull</span>" in page


def test_without_a_query_everything_is_attended_alike(bert):
    for number in (1, 2):
        layer = bert.get_layer(f"attention{number}")
        layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    maps = attribution.attention(bert, np.array([[2, 50, 60, 70, 3]], "int32"))[0]
    np.testing.assert_allclose(maps, 0.2, rtol=1e-5)
    flow = attribution.rollout(maps)
    np.testing.assert_allclose(flow.sum(axis=-1), 1)
    np.testing.assert_allclose(flow, 0.25 * np.eye(5) + 0.75 * 0.2, rtol=1e-5)


def test_signs_of_a_page_are_only_text(reader, tmp_path):
    page = explanation.explain(reader, "<script> great & bad").save(tmp_path / "why.html")
    assert "<script" not in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "method", "sentence"),
    [
        ("linear_regression", "grad_cam", "no method 'grad_cam' to explain by"),
        ("char_lstm", "auto", "answers nothing that could be explained"),
        ("lstm", "attention", "lstm has no attention"),
    ],
)
def test_what_a_model_has_no_method_for(name, method, sentence):
    model = loading.get(name, weights=None)
    given = DIAMOND if name == "linear_regression" else "A film"
    with pytest.raises(InvalidInputError, match=sentence):
        explanation.explain(model, given, method=method)


def test_a_drawing_has_the_ending_of_its_kind(reader, tmp_path):
    why = explanation.explain(reader, "great")
    with pytest.raises(InvalidInputError, match=r"drawn to a \.html file; received .*why\.png"):
        why.save(tmp_path / "why.png")
    assert not list(tmp_path.glob("why*"))


def test_the_command_explains_and_draws(small_run, tmp_path, capsys):
    photo = tmp_path / "photo.png"
    Image.fromarray(datasets.sample("cifar10").inputs[0]).save(photo)
    out = tmp_path / "why.png"
    code = cli.main(["explain", str(small_run.path), str(photo), "--out", str(out)])
    shown = capsys.readouterr().out
    assert code == 0
    assert "most of all for row" in shown
    assert shown.endswith(f"{out}\n")
    assert out.exists()
