import re
from types import SimpleNamespace

import helpers
import keras
import numpy as np
import odd_images
import pytest
from PIL import Image

from keras_fm import cli, pipelines, registry
from keras_fm.data import datasets
from keras_fm.errors import InvalidInputError
from keras_fm.explanation import attribution, explanation
from keras_fm.models import building, loading
from keras_fm.models.spec import ModelSpec
from keras_fm.preprocessing.images import pixels
from keras_fm.tasks.base import ExplainedInput, task_of
from keras_fm.tasks.image_classification import predict as image_predict

DIAMOND = {
    "carat": 1.0, "cut": "Ideal", "color": "E", "clarity": "SI1",
    "depth": 61.0, "table": 55.0, "x": 6.4, "y": 6.4, "z": 3.9,
}  # fmt: skip


@pytest.fixture
def text_model(tiny_reader):
    """A text classifier for which "great" is positive, "bad" negative, other words neither."""
    model = building.build(ModelSpec.of(registry.find("tiny_reader")[0]))
    tokens = task_of(model).data.vocabulary.tokens
    embeddings = np.zeros(model.get_layer("token_embedding").embeddings.shape)
    embeddings[tokens.index("great")], embeddings[tokens.index("bad")] = 3, -2
    model.get_layer("token_embedding").set_weights([embeddings])
    model.get_layer("mix").set_weights([np.eye(4), np.zeros(4)])
    model.get_layer("logits").set_weights([np.tile([-1.0, 1.0], (4, 1)), np.zeros(2)])
    return model


@pytest.fixture
def light_or_dark():
    """A classifier of the mean of an image: above 0, or below."""
    image_input = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(2, 1, use_bias=False, name="maps")(image_input)
    logits = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image_input, logits)
    model.get_layer("maps").set_weights([np.array([[[[1.0, -1.0]]]])])
    model.layers[-1].set_weights([np.eye(2), np.zeros(2)])
    return model


@pytest.fixture(scope="module")
def bert():
    return building.build(ModelSpec.of(registry.find("mini_bert")[0]), depth=2, width=32, heads=4)


def test_occlusion_finds_the_words_for_and_against_a_prediction(text_model):
    result = explanation.explain(text_model, "A great film with bad music")
    [text] = result.attributions
    assert result.method == "occlusion"
    assert text.prediction["label"] == "positive"
    assert text.features[:3] == ("a", "great", "film")
    assert text.features[text.scores.argmax()] == "great"
    assert text.features[text.scores.argmin()] == "bad"
    assert str(result).startswith("positive ")
    assert "for: great +" in str(result)
    assert "against: bad -" in str(result)


def test_a_tokens_score_is_the_fall_of_the_log_odds_without_it(text_model):
    predictions = pipelines.pipeline(text_model)(["a great film", "a zyxwv film"])
    log_odds = [np.log(p["probabilities"]["positive"] / p["probabilities"]["negative"])
                for p in predictions]  # fmt: skip
    [text] = explanation.explain(text_model, "a great film").attributions
    assert text.prediction == predictions[0]
    assert text.scores[1] == pytest.approx(log_odds[0] - log_odds[1], rel=1e-4)


def test_target_scores_of_a_classifier_are_log_odds_of_the_predicted_class():
    predictor = ModelSpec.of(registry.find("cifar_cnn")[0]).task.predictor
    logits = np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0]])
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = np.log(probabilities[:, 1] / (1 - probabilities[:, 1]))
    np.testing.assert_allclose(predictor.target_scores(logits, logits[0]), expected)


def test_scores_are_of_the_class_that_is_predicted_without_an_occlusion():
    predictor = SimpleNamespace(
        predict=lambda model, inputs: inputs,
        target_scores=lambda outputs, prediction: outputs[:, prediction.argmax()],
    )
    # Without the first feature it is another class.
    occluded = np.array([[0.0, 1.0], [2.0, 0.0]])
    explained = ExplainedInput(np.array([[2.0, 1.0]]), lambda: occluded)
    _, scores = attribution.occlusion(None, predictor, explained)
    assert scores.tolist() == [2, 0]


def test_a_columns_score_is_the_change_of_the_prediction_without_it():
    [row] = explanation.explain("linear_regression", DIAMOND).attributions
    predict = pipelines.pipeline("linear_regression")
    [full], [without_carat], [without_cut] = (
        predict({**DIAMOND, **change}) for change in ({}, {"carat": float("nan")}, {"cut": "?"})
    )
    scores = dict(zip(row.features, row.scores, strict=True))
    assert row.prediction == full
    carat, cut = scores["carat 1"], scores["cut Ideal"]
    assert carat == pytest.approx(full["value"] - without_carat["value"], rel=1e-4)
    assert cut == pytest.approx(full["value"] - without_cut["value"], rel=1e-4)
    assert len(scores) == len(DIAMOND)


def test_a_pixels_score_is_the_mean_of_the_squares_that_occlude_it(small_run):
    image = np.zeros((32, 32, 3), "uint8")
    image[:8, :8] = 255, 128, 0  # each channel has a mean of its own
    [explained] = task_of(small_run.model).predictor.explained_inputs([image])
    occluded = explained.occlusions()
    regions = explained.regions
    assert len(occluded) == len(regions) == 49
    mean_color = image.mean(axis=(0, 1))
    for occlusion, region in zip(occluded, regions, strict=True):
        np.testing.assert_allclose(occlusion[region], np.broadcast_to(mean_color, (8, 8, 3)))
        occlusion[region] = image[region]
        np.testing.assert_array_equal(occlusion, image)


def test_upsampled_scores_are_high_where_the_occluded_regions_score_high():
    image = np.zeros((32, 32, 1), "float32")
    image[:8, :8] = 255
    regions = image_predict.occlusion_regions(image)
    corner_sums = np.array([image[region].sum() for region in regions])
    scores = attribution.upsample_scores(regions, corner_sums, image.shape)
    assert scores.shape == (32, 32)
    assert scores[0, 0] == corner_sums[0]  # only the first region has this pixel
    first_column = [sum_ for region, sum_ in zip(regions, corner_sums, strict=True)
                    if region[0].start <= 5 < region[0].stop and region[1].start == 0]  # fmt: skip
    assert scores[5, 0] == pytest.approx(np.mean(first_column))
    assert (scores[:8, :8] > 0).all()
    assert (scores[16:] == 0).all()
    assert (scores[:, 16:] == 0).all()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="Grad-CAM needs TensorFlow")
def test_grad_cam_finds_the_pixel_that_the_prediction_is_from(light_or_dark):
    image = np.zeros((1, 8, 8, 1), "float32")
    image[0, 1, 6] = 1
    image[0, 4, 3] = -0.5  # speaks for the other class: it has no heat
    [heatmap] = attribution.grad_cam(light_or_dark, image)
    expected = np.zeros((8, 8))
    expected[1, 6] = 1
    np.testing.assert_allclose(heatmap, expected, atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="Grad-CAM needs TensorFlow")
def test_grad_cam_of_an_image_does_not_depend_on_the_batch(light_or_dark):
    images = np.zeros((2, 8, 8, 1), "float32")
    images[0, 1, 6], images[1, 2, 3] = 1, -0.25  # of either class
    heatmaps = attribution.grad_cam(light_or_dark, images)
    np.testing.assert_allclose(heatmaps, np.abs(images[..., 0]) / [[[1]], [[0.25]]], atol=1e-6)


@pytest.mark.thorough
def test_an_image_is_explained_as_a_viewer_shows_it(small_run):
    cases = odd_images.served_files() | odd_images.other_images()
    inputs, shown = zip(*cases.values(), strict=True)
    actual, expected = (
        explanation.explain(small_run.model, images, method="grad_cam").attributions
        for images in (list(inputs), list(shown))
    )
    for name, of_input, of_shown in zip(cases, actual, expected, strict=True):
        np.testing.assert_allclose(of_input.image.astype(int), of_shown.image, atol=8, err_msg=name)
    with pytest.raises(InvalidInputError, match="multiply by 255"):
        explanation.explain(small_run.model, helpers.image(32, 32) / 255)


@pytest.mark.parametrize("method", ["grad_cam", "occlusion", "integrated_gradients"])
def test_an_image_is_drawn_beside_its_scores(method, small_run, tmp_path):
    images = datasets.sample("cifar10").inputs[:3]
    result = explanation.explain(small_run.model, images, method=method)
    predictions = pipelines.pipeline(small_run.model)(images)
    for one, prediction in zip(result.attributions, predictions, strict=True):
        assert one.prediction["label"] == prediction["label"]
        assert one.prediction["probabilities"] == pytest.approx(prediction["probabilities"])
    assert all(one.scores.shape == (32, 32) for one in result.attributions)
    picture = np.asarray(Image.open(result.save(tmp_path / "new" / "why.png")))
    above, side, gap = 24, 256, 8  # a title, the image and the same under its scores, a legend
    assert picture.shape == (3 * len(picture) // 3, 2 * side + gap, 3)
    shown, overlaid = picture[above : above + side, :side], picture[above : above + side, -side:]
    np.testing.assert_array_equal(shown[4::8, 4::8], images[0])
    assert (shown != overlaid).any()
    assert (picture[:above] < 128).any()
    assert (picture[above + side : len(picture) // 3] < 128).any()
    with pytest.raises(InvalidInputError, match=r"why\.png exists; name another file"):
        result.save(tmp_path / "new" / "why.png")


def test_attention_is_explained_and_drawn_for_each_head(bert, tmp_path):
    texts = ["A dull film, but great actors.", ""]
    result = explanation.explain(bert, texts, method="attention")
    longer, empty = result.attributions
    count = len(longer.features)
    assert longer.features[0] == "[CLS]"
    assert longer.attention.shape == (2, 4, count, count)
    np.testing.assert_allclose(longer.attention.sum(axis=-1), 1, rtol=1e-5)
    rollout = attribution.attention_rollout(longer.attention)
    np.testing.assert_allclose(longer.scores, rollout.mean(axis=0), rtol=1e-5)
    assert longer.scores.sum() == pytest.approx(1, rel=1e-5)
    assert len(empty.features) == len(empty.scores)
    page = result.save(tmp_path / "why.html").read_text("utf-8")
    assert page.count("<img") == 2 * 2 * 4
    assert ">dull</span>" in page


def test_attention_says_what_was_attended_to(bert):
    text = str(explanation.explain(bert, "A dull film", method="attention"))
    assert re.search(r"%; attention, attended to: \S+ 0\.\d\d, ", text)
    assert "for: " not in text


@pytest.mark.parametrize("name", ["tiny_reader", "lstm", "mini_bert"])
def test_an_unknown_token_is_the_users_word(name, tiny_reader):
    text = "A Zyxwvut☃ film, unaffordablezyxw. the"
    spec = ModelSpec.of(registry.find(name)[0])
    vocabulary = spec.task.data.vocabulary
    features = vocabulary.features(text.encode(), 512)
    token_ids = vocabulary.token_ids([text.encode()], 512)[0]
    assert len(features) == len(token_ids)
    for feature, token_id in zip(features, token_ids, strict=True):
        token = vocabulary.tokens[token_id]
        assert feature == token or (token == "[UNK]" and feature in text.lower())
    assert "[UNK]" not in features
    unknown = [feature for feature, token_id in zip(features, token_ids, strict=True)
               if vocabulary.tokens[token_id] == "[UNK]"]  # fmt: skip
    assert "☃" in unknown
    # The middle is left out where the tokens are too many.
    longer = (f"{text} " * 9).encode()
    complete = vocabulary.features(longer, 512)
    assert vocabulary.features(longer, 12) == complete[:6] + complete[-6:]
    assert len(vocabulary.features(b"", 512)) == len(vocabulary.token_ids([b""], 512)[0])


@pytest.mark.parametrize("shape", [(32, 32), (256, 256), (100, 300), (301, 97), (20, 5), (1, 1)])
def test_positions_are_those_of_the_users_image(shape):
    """A white pixel of the image, resized, is brightest where its position is mapped back from."""
    for row, column in [(0, 0), (16, 15), (31, 31)]:
        position = pixels.position_before((row, column), (32, 32), shape)
        assert all(0 <= index < side for index, side in zip(position, shape, strict=True))
        crop = min(shape)
        if crop < 32:
            continue
        image = np.zeros((*shape, 1), "float32")
        size = -(-crop // 32)
        rows, columns = (
            slice(max(0, index - size // 2), index + size // 2 + 1) for index in position
        )
        image[rows, columns] = 255
        resized = pixels.crop_and_resize(image, 32, 32).numpy()[..., 0]
        brightest = np.unravel_index(resized.argmax(), resized.shape)
        assert max(abs(brightest[0] - row), abs(brightest[1] - column)) <= 1


def test_an_explanation_names_pixels_of_the_users_photo(small_run):
    text = str(explanation.explain(small_run.model, helpers.image(256, 128), method="occlusion"))
    row, column = re.search(
        r"%; occlusion: most of all around row (\d+) of 256, column (\d+) of 128 pixels$", text
    ).groups()
    assert 64 < int(row) <= 192, "the center is a square"
    assert 0 < int(column) <= 128


def test_attention_without_a_query_is_uniform(bert):
    weights = [bert.get_layer(f"attention{number}").get_weights() for number in (1, 2)]
    for number, arrays in enumerate(weights, 1):
        bert.get_layer(f"attention{number}").set_weights([np.zeros_like(x) for x in arrays])
    [blocks] = attribution.attention_weights(bert, np.array([[2, 50, 60, 70, 3]], "int32"))
    for number, arrays in enumerate(weights, 1):
        bert.get_layer(f"attention{number}").set_weights(arrays)
    assert blocks.shape == (2, 4, 5, 5)
    np.testing.assert_allclose(blocks, 0.2, rtol=1e-5)


def test_rollout_multiplies_the_later_blocks_attention_by_the_earlier_ones():
    # Of two tokens: in the first block both attend to the first, in the second to the second.
    first, second = np.array([[1.0, 0.0]] * 2), np.array([[0.0, 1.0]] * 2)
    heads = np.stack([[first, first], [second, second]])
    with_residual = [(block + np.eye(2)) / 2 for block in (first, second)]
    expected = with_residual[1] @ with_residual[0]
    assert not np.allclose(expected, with_residual[0] @ with_residual[1])
    np.testing.assert_allclose(attribution.attention_rollout(heads), expected)


@pytest.fixture
def four_features():
    scores = np.array([0.1, 2.0, -3.0, -0.5])
    prediction = {"label": "yes", "probabilities": {"no": 0.25, "yes": 0.75}}
    one = attribution.Attribution(prediction, scores, ("a", "b", "c", "d"))
    return explanation.Explanation("occlusion", [one])


def test_features_are_named_by_the_size_of_their_scores(four_features):
    words = "yes 75.0%; occlusion, for: b +2.00, a +0.10; against: c -3.00, d -0.50"
    assert str(four_features) == words


def test_a_page_is_red_for_the_prediction_and_blue_against_it(four_features, tmp_path):
    page = four_features.save(tmp_path / "why.html").read_text("utf-8")
    assert re.findall(r"rgba\((\d+,\d+,\d+),(\S+)\).*?>(\w)<", page) == [
        ("220,60,40", "0.03", "a"), ("220,60,40", "0.53", "b"),
        ("50,90,220", "0.80", "c"), ("50,90,220", "0.13", "d"),
    ]  # fmt: skip


def test_a_page_escapes_the_text(text_model, tmp_path):
    result = explanation.explain(text_model, "<script> great & bad")
    page = result.save(tmp_path / "why.html").read_text("utf-8")
    assert "great</span>" in page
    assert ">&amp;</span>" in page
    assert "<script" not in page


@pytest.mark.parametrize(
    ("name", "method", "message"),
    [
        ("linear_regression", "grad_cam", "no method 'grad_cam' to explain by"),
        ("char_lstm", "auto", "no predictions that its inputs could explain"),
        ("lstm", "attention", "lstm has no attention"),
    ],
)
def test_a_method_that_a_model_does_not_have_is_an_error(name, method, message):
    model = loading.get(name, weights=None)
    inputs = DIAMOND if name == "linear_regression" else "A film"
    with pytest.raises(InvalidInputError, match=message):
        explanation.explain(model, inputs, method=method)


def test_an_explanation_of_texts_is_saved_as_html_alone(text_model, tmp_path):
    result = explanation.explain(text_model, "great")
    with pytest.raises(InvalidInputError, match=r"drawn to a \.html file; received .*why\.png"):
        result.save(tmp_path / "why.png")
    assert not list(tmp_path.glob("why*"))


def test_the_command_explains_and_draws(small_run, tmp_path, capsys):
    photo = tmp_path / "photo.png"
    Image.fromarray(datasets.sample("cifar10").inputs[0]).save(photo)
    out = tmp_path / "why.png"
    code = cli.main(["explain", str(small_run.path), str(photo), "--out", str(out)])
    shown = capsys.readouterr().out
    assert code == 0
    assert "grad_cam: most of all around row" in shown
    assert shown.endswith(f"{out}\n")
    assert out.exists()
