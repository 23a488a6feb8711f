"""What a threshold makes of predictions, wherever they are from."""

import pytest

import keras_fm
from keras_fm.cli.evaluate import _threshold
from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.serving.class_choice import ClassChoice
from keras_fm.serving.thresholds import apply_threshold, check_threshold_choice

TWO = [
    {"label": "no", "probabilities": {"no": 0.6, "yes": 0.4}},
    {"label": "yes", "probabilities": {"no": 0.25, "yes": 0.75}},
]


@pytest.mark.parametrize(
    ("threshold", "labels"),
    [(0.0, ["yes", "yes"]), (0.4, ["yes", "yes"]), (0.5, ["no", "yes"]), (0.8, ["no", "no"])],
)
def test_the_second_class_is_the_label_from_the_threshold_on(threshold, labels):
    predictions = apply_threshold(TWO, threshold)
    assert [prediction["label"] for prediction in predictions] == labels
    assert [prediction["probabilities"] for prediction in predictions] == [
        prediction["probabilities"] for prediction in TWO
    ]


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        ({"yes": 0.9}, "needs the names of both classes"),
        ({"a": 0.5, "b": 0.3, "c": 0.2}, "is for two classes; received a model of 3"),
    ],
)
def test_predictions_of_other_than_two_classes_have_no_threshold(probabilities, message):
    with pytest.raises(InvalidInputError, match=message):
        apply_threshold([{"label": "yes", "probabilities": probabilities}], 0.3)


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan"), True, "0.3", "balanced", [0.3]])
def test_a_threshold_of_predictions_is_a_probability(value):
    with pytest.raises(InvalidInputError, match=r"threshold is a number from 0.* to 1.*; rec"):
        ClassChoice.of("a", None, value, is_classifier=True)


@pytest.mark.parametrize(
    "value",
    [
        "best",
        {"false_positive": 1},
        {"false_positive": 0, "false_negative": 0},
        {"false_positive": 1, "false_negative": -5},
        {"fp": 1, "fn": 5},
        ["balanced"],
        2,
    ],
)
def test_a_threshold_of_an_evaluation_is_a_number_a_word_or_costs(value):
    with pytest.raises(InvalidInputError, match="received"):
        check_threshold_choice("a", value, is_classifier=True)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("0.3", 0.3),
        ("balanced", "balanced"),
        ("false_positive=1, false_negative=2.5", {"false_positive": 1, "false_negative": 2.5}),
        ("false_positive=x", {"false_positive": "x"}),
    ],
)
def test_the_command_line_reads_a_threshold(word, value):
    assert _threshold(word) == value


def test_a_threshold_beside_top_k_is_an_error():
    with pytest.raises(InvalidInputError, match=r"give one of them; received top_k=1, threshold="):
        ClassChoice.of("a", 1, 0.3, is_classifier=True)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("cifar_cnn_basic", InvalidInputError, "threshold is for two classes; received a model of"),
        ("linear_regression", UnknownNameError, "no option 'threshold', which is one of classif"),
    ],
)
@pytest.mark.parametrize("function", [keras_fm.pipeline, keras_fm.evaluate])
def test_other_models_have_no_threshold(function, name, error, message):
    with pytest.raises(error, match=message):
        function(name, threshold=0.3)


def test_a_pipeline_a_call_and_a_stream_apply_it():
    texts = ["a wonderful film", "a dull film"]
    classify = keras_fm.pipeline("lstm", threshold=1.0)
    negative, positive = classify.spec.labels
    assert [x["label"] for x in classify(texts)] == [negative, negative]
    assert [x["label"] for x in classify(iter(texts))] == [negative, negative]
    assert [x["label"] for x in classify(texts, threshold=0.0)] == [positive, positive]
    assert classify(texts, top_k=1) == keras_fm.pipeline("lstm")(texts, top_k=1)
    plain = keras_fm.pipeline("lstm")(texts)
    assert classify(texts, threshold=None) == plain
    most_probable = [max(x["probabilities"].items(), key=lambda item: item[1])[0] for x in plain]
    assert [x["label"] for x in plain] == most_probable


def test_the_terminal_tells_a_label_that_is_not_the_most_probable_class():
    format_classes = keras_fm.pipeline("lstm").codec.format
    [first, _] = apply_threshold(TWO, 0.3)
    assert format_classes("a", first, 2) == "a: yes by the threshold; no 60.0%, yes 40.0%"
    assert format_classes("a", TWO[0], 2) == "a: no 60.0%, yes 40.0%"


def test_an_evaluation_has_the_metrics_at_a_threshold(tmp_path):
    labels = keras_fm.pipeline("lstm").spec.labels
    reviews = {"a wonderful film": 1, "a dull film": 0, "good": 1, "bad": 0}
    path = tmp_path / "reviews.csv"
    rows = [f"{review},{labels[index]}" for review, index in reviews.items()]
    path.write_text("\n".join(["text,label", *rows]))
    metrics = keras_fm.evaluate("lstm", data=path, text="text", target="label", threshold=0.0)
    at_threshold = metrics["at_threshold"]
    assert at_threshold["positive_class"] == labels[1]
    assert (at_threshold["recall"], at_threshold["accuracy"]) == (1.0, 0.5)
    assert "at_threshold" not in keras_fm.evaluate("lstm", data=path, text="text", target="label")
