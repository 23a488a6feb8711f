import helpers
import keras
import numpy as np
import pandas as pd
import pytest

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.explanation import explanation, path_integral
from keras_fm.models import building, loading
from keras_fm.models.spec import ModelSpec
from keras_fm.pipelines import pipeline
from keras_fm.tasks.base import task_of
from keras_fm.training import jobs

ROW = {
    "carat": 1.0, "cut": "Ideal", "color": "E", "clarity": "SI1",
    "depth": 61.0, "table": 55.0, "x": 6.4, "y": 6.4, "z": 3.9,
}  # fmt: skip


def table_model(name, *, num_classes=0, **overrides):
    """A model of a user's own table, with weights at random: of a string, dates and amounts too."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(200, 2)), columns=["size", "logits"])
    frame["kind"] = random.choice(["a", "b", "c"], 200)
    frame["on"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 900, 200), "D")
    frame["price"] = [f"${value:,.2f}" for value in random.uniform(1, 5000, 200)]
    value = 3 * frame["size"] + (frame.kind == "a")
    frame["target"] = (
        pd.qcut(value, num_classes, list("xyz")[:num_classes]) if num_classes else value
    )
    frame["target"] = frame["target"].astype(str) if num_classes else frame["target"]
    job = jobs.training_job(
        registry.find(name)[0], data=frame, target="target", problem_type=None, seed=0,
        overrides=overrides,
    )  # fmt: skip
    model = jobs.initial_model(job)
    randomize(model)
    return model, frame.drop(columns="target")


def randomize(model, seed=1):
    """Draw all trainable weights again."""
    random = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        fan_in = max(1, int(np.prod(variable.shape[:-1])))
        variable.assign(random.normal(size=variable.shape) / np.sqrt(fan_in))


def check_completeness(model, inputs, tolerance=0.01):
    """The scores sum to the difference between the outputs for an input and for its baseline."""
    predictor = task_of(model).predictor
    explained_inputs = predictor.explained_inputs(inputs)
    result = explanation.explain(model, inputs, method="integrated_gradients")
    for explained, of_input in zip(explained_inputs, result.attributions, strict=True):
        output, base = (
            predictor.predict(model, x) for x in (explained.inputs, explained.baseline())
        )
        [score], [base_score] = (predictor.target_scores(x, output[0]) for x in (output, base))
        assert of_input.score == pytest.approx(score, rel=1e-4)
        assert of_input.base_score == pytest.approx(base_score, rel=1e-3, abs=1e-4)
        scale = float(max(abs(score - base_score), 0.1 * np.abs(of_input.scores).sum()))
        assert scale > 0
        assert of_input.scores.sum() == pytest.approx(score - base_score, abs=tolerance * scale)
        assert abs(of_input.residual) <= tolerance * scale
    return result.attributions


def test_scores_sum_to_the_difference_of_an_image(small_run):
    images = datasets.sample("cifar10").inputs[:2]
    first, second = check_completeness(small_run.model, images)
    assert first.scores.shape == second.scores.shape == (32, 32)
    prediction, _ = pipeline(small_run.model)(images)
    assert first.prediction["label"] == prediction["label"]


@pytest.mark.parametrize(
    "name",
    [
        "cifar_cnn_basic",
        *(pytest.param(x, marks=pytest.mark.thorough) for x in ("cifar_cnn", "fashion_cnn")),
    ],
)
def test_scores_sum_to_the_difference_of_a_pretrained_image_model(name):
    sample = datasets.sample(registry.find(name)[0].entry.dataset)
    check_completeness(loading.get(name), sample.inputs[:2])


@pytest.mark.parametrize(
    "name",
    helpers.first(["tiny_reader", "lstm", "mini_bert"], 1),
)
def test_scores_sum_to_the_difference_of_a_text(name, tiny_reader):
    if name == "tiny_reader":
        model = building.build(ModelSpec.of(registry.find(name)[0]))
    else:
        model = loading.get(name)
    attributions = check_completeness(model, ["A great film with bad music", "Dull."])
    for of_text in attributions:
        assert of_text.scores.shape == (len(of_text.features),)


def test_what_frames_each_text_counts_for_nothing():
    model = building.build(ModelSpec.of(registry.find("mini_bert")[0]), depth=1, width=32, heads=4)
    [of_text] = check_completeness(model, "A dull film")
    assert of_text.features[0], of_text.features[-1] == ("[CLS]", "[SEP]")
    assert of_text.scores[0] == of_text.scores[-1] == 0
    assert np.abs(of_text.scores[1:-1]).min() > 0


@pytest.mark.parametrize("name", helpers.first(["mlp", "linear_regression"], 1))
def test_scores_sum_to_the_difference_of_a_row(name):
    model = loading.get(name)
    with_a_gap = {**ROW, "x": float("nan"), "cut": "unknown"}
    full, gap = check_completeness(model, [ROW, with_a_gap])
    assert len(full.scores) == len(ROW)
    scores = dict(zip(gap.features, gap.scores, strict=True))
    missing = [scores["x nan"], scores["cut unknown"]]  # as in the baseline
    assert missing == pytest.approx([0, 0], abs=0.01)
    assert np.abs(full.scores).min() > 0


@pytest.mark.parametrize(
    ("name", "overrides", "num_classes"),
    helpers.first(
        [
            ("linear_regression", {}, 3),
            ("mlp", {"folds": 2}, 0),
            ("linear_regression", {}, 0),
            ("linear_regression", {}, 2),
            ("mlp", {"folds": 2}, 2),
            ("mlp", {"folds": 2}, 3),
        ],
        2,
    ),
)
def test_scores_sum_to_the_difference_of_a_users_own_row(name, overrides, num_classes):
    model, rows = table_model(name, num_classes=num_classes, **overrides)
    first, second = check_completeness(model, rows[:2])
    names = [feature.split()[0] for feature in first.features]
    assert sorted(names) == ["kind", "logits", "on", "price", "size"]
    assert np.abs(first.scores).min() > 0, "each column counts"
    assert not np.allclose(first.scores, second.scores)


def test_a_linear_models_scores_are_its_terms():
    """The log-odds of a linear classifier of two classes are a sum over the columns."""
    model, rows = table_model("linear_regression", num_classes=2)
    [of_row] = explanation.explain(model, rows[:1], method="integrated_gradients").attributions
    [occluded] = explanation.explain(model, rows[:1], method="occlusion").attributions
    assert of_row.features == occluded.features
    np.testing.assert_allclose(of_row.scores, occluded.scores, rtol=1e-3, atol=1e-4)


def test_a_text_models_words_have_their_signs(tiny_reader):
    model = building.build(ModelSpec.of(registry.find("tiny_reader")[0]))
    tokens = task_of(model).data.vocabulary.tokens
    embeddings = np.zeros(model.get_layer("token_embedding").embeddings.shape)
    embeddings[tokens.index("great")], embeddings[tokens.index("bad")] = 1, -0.5
    model.get_layer("token_embedding").set_weights([embeddings])
    model.get_layer("mix").set_weights([np.eye(4), np.zeros(4)])
    model.get_layer("logits").set_weights([np.tile([-1.0, 1.0], (4, 1)), np.zeros(2)])
    result = explanation.explain(model, "A great film, bad", method="integrated_gradients")
    [of_text] = result.attributions
    scores = dict(zip(of_text.features, of_text.scores, strict=True))
    assert scores["great"] > 0 > scores["bad"]
    assert scores["film"] == 0
    assert f"; all {of_text.scores.sum():+.2f}, from 0.00 to {of_text.score:.2f}" in str(result)


def test_steps_are_halved_where_the_score_does_not_follow():
    evaluated = []

    def evaluate(positions):
        evaluated.extend(positions)
        # A ramp in a hundredth of the way, of two features with opposite signs elsewhere.
        slope = np.where(np.abs(positions - 0.3) < 0.005, 100.0, 0.0)
        score = 100 * np.clip(positions - 0.295, 0, 0.01)
        return score, np.stack([slope + 1, -np.ones_like(positions)], axis=1)

    result = path_integral.integrate(evaluate)
    assert result.contributions.sum() == pytest.approx(1, abs=0.01)
    assert result.contributions[1] == pytest.approx(-1)
    assert len(evaluated) < 120
    near = [position for position in evaluated if 0.25 < position < 0.35]
    assert len(near) > len(evaluated) / 2 - 20


def test_a_path_that_no_steps_follow_ends_and_says_what_is_left():
    result = path_integral.integrate(lambda p: ((p > 0.5).astype(float), np.zeros((len(p), 2))))
    assert result.score - result.base_score == 1
    assert result.contributions.tolist() == [0, 0]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="both are there")
def test_target_gradients_are_those_of_the_target_scores():
    for name, outputs in (
        ("cifar_cnn", np.random.default_rng(0).normal(size=(3, 10))),
        ("mlp", np.array([1.0, 2.0, 3.0])),
    ):
        predictor = ModelSpec.of(registry.find(name)[0]).task.predictor
        prediction = outputs[0]
        gradients = predictor.target_gradients(outputs, prediction)
        assert gradients.shape == outputs.shape
        change = 1e-5 * np.random.default_rng(1).normal(size=outputs.shape)
        before, after = (
            predictor.target_scores(x, prediction) for x in (outputs, outputs + change)
        )
        expected = (gradients * change).reshape(len(outputs), -1).sum(axis=1)
        np.testing.assert_allclose(after - before, expected, rtol=1e-3)
