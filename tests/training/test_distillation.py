import json

import helpers
import numpy as np
import pytest

from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import InvalidInputError, SchemaError, UnknownNameError
from keras_fm.models import loading
from keras_fm.registry.recipe import Recipe
from keras_fm.tasks.base import task_of
from keras_fm.training import distillation, fine_tuning, runs, training
from keras_fm.training.jobs import TrainingJob


@pytest.fixture(scope="module")
def image_teacher(small_run):
    return str(small_run.path)


@pytest.fixture
def unlabeled(monkeypatch):
    """The split `more`, of 20 reviews without labels."""
    load = datasets.load

    def load_more(dataset, split):
        if split != "more":
            return load(dataset, split)
        inputs = datasets.sample(dataset).inputs[:20]
        return Examples(inputs, np.full(20, -1), f"{dataset} more")

    monkeypatch.setattr(datasets, "load", load_more)


def train_reader(path, **options):
    return training.train("tiny_reader", data="sample", run_dir=path, **{"epochs": 1, **options})


def train_images(path, **options):
    return training.train(
        "cifar_cnn_basic", data="sample", run_dir=path, epochs=1, batch_size=8, **options
    )


@pytest.mark.thorough
def test_a_text_classifier_learns_from_one_with_another_tokenizer(tiny_reader, tmp_path):
    run = train_reader(tmp_path / "run", teacher="lstm", distillation_weight=0.9)
    assert "distilled from lstm" in run.report()
    assert json.loads((run.path / "run.json").read_text())["teacher"] == "lstm"
    assert "distilled" not in train_reader(tmp_path / "alone").report()
    assert run.model.name == "tiny_reader"
    assert len(run.model.weights) == len(loading.get("tiny_reader", weights=None).weights)


def test_the_stored_outputs_are_those_of_the_teacher(tiny_reader, tmp_path, unlabeled):
    overrides = {
        "dataset": "imdb_reviews", "teacher": "lstm", "unlabeled_split": "more",
        "precision": "float32",
    }  # fmt: skip
    recipe = helpers.recipe("text-classification", **overrides)
    teacher = loading.get("lstm")
    examples = datasets.sample("imdb_reviews")
    spec = loading.get("tiny_reader", weights=None).keras_fm_spec
    job = TrainingJob(spec, examples.subset(slice(30), "some reviews"), None, recipe, seed=0)
    model = job.task.build(recipe, 0)
    trainer, batches = distillation.distill(model, job, tmp_path)
    some = examples.subset(slice(30), "some reviews")
    expected = task_of(teacher).predictor.predict_examples(teacher, some)
    labels, outputs = batches.targets[:, :2], batches.targets[:, 2:]
    assert trainer.student is model
    np.testing.assert_allclose(outputs[:30], expected, atol=1e-4)
    np.testing.assert_allclose(outputs[30:], expected[:20], atol=1e-4)
    np.testing.assert_array_equal(labels[:30], np.eye(2)[examples.targets[:30]])
    assert not labels[30:].any()
    assert len(batches.inputs) == 50
    np.save(tmp_path / distillation.OUTPUTS_FILE, outputs + 1)  # a resumed training reads them
    _, resumed = distillation.distill(model, job, tmp_path)
    np.testing.assert_array_equal(resumed.targets[:, 2:], outputs + 1)


@pytest.mark.thorough
def test_an_image_classifier_learns_from_a_teacher_that_sees_the_batches(image_teacher, tmp_path):
    run = train_images(tmp_path / "run", teacher=image_teacher, flip="random")
    assert f"distilled from {image_teacher}" in run.report()
    assert run.metrics["accuracy"] > 0


@pytest.mark.thorough
def test_a_regression_learns_the_mean_of_target_and_teacher(tmp_path):
    spec = loading.get("linear_regression").keras_fm_spec
    examples = datasets.sample("diamonds")
    outputs = examples.targets.astype("float32") * 4
    recipe = spec.task.default_recipe().override(teacher="mlp", distillation_weight=0.5)
    targets = spec.task.objective.distillation_targets(examples, 0, outputs, recipe)
    np.testing.assert_allclose(targets, examples.targets * 2, rtol=1e-5)  # of the logarithms
    run = training.train(
        "linear_regression", data="sample", run_dir=tmp_path / "run", teacher="mlp", epochs=1
    )
    assert run.metrics["rmse_log"] > 0


@pytest.mark.thorough
def test_a_resumed_distillation_equals_an_uninterrupted_one(tiny_reader, tmp_path, stop_at):
    options = {"teacher": "lstm", "epochs": 3}
    expected = train_reader(tmp_path / "expected", **options)
    stop_at(1)
    with pytest.raises(KeyboardInterrupt):
        train_reader(tmp_path / "run", **options)
    stop_at(None)
    training.train("tiny_reader", data="sample", run_dir=tmp_path / "run", resume=True)
    resumed = runs.load_run(tmp_path / "run")
    for one, other in zip(resumed.model.get_weights(), expected.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.thorough
def test_a_fine_tuning_of_all_layers_learns_from_a_teacher(image_teacher, tmp_path):
    sample = datasets.sample("cifar10")
    run = fine_tuning.fine_tune(
        "cifar_cnn_basic",
        sample.subset(slice(120), "some images"),
        class_names=list(loading.get("cifar_cnn").keras_fm_spec.labels),
        strategy="full",
        teacher=image_teacher,
        epochs=1,
        run_dir=tmp_path / "run",
    )
    assert f"distilled from {image_teacher}" in run.report()


@pytest.mark.parametrize(
    ("name", "teacher", "message"),
    [("cifar_cnn_basic", "lstm", "the same task, image-classification"),
     ("cifar_cnn_basic", "fashion_cnn", "the same classes"),
     ("gan", "gan", "expected a classifier or a regression"),
     ("char_lstm", "char_lstm", "expected a classifier or a regression")],
)  # fmt: skip
def test_a_teacher_of_something_else_is_refused(name, teacher, message, tmp_path):
    with pytest.raises(InvalidInputError, match=message):
        training.train(name, data="sample", run_dir=tmp_path / "run", teacher=teacher)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [({"teacher": "lsmt"}, UnknownNameError, "lstm"),
     ({"teacher": "lstm", "unlabeled_split": "nowhere"}, Exception, "nowhere|imdb_reviews"),
     ({"teacher": "lstm", "class_weight": "balanced"}, InvalidInputError, "without a teacher"),
     ({"distillation_weight": 0.1}, SchemaError, "expected 0.5 without a teacher; received 0.1"),
     ({"distillation_temperature": 1.0}, SchemaError, "without a teacher"),
     ({"unlabeled_split": "more"}, SchemaError, "without a teacher"),
     ({"teacher": "lstm", "distillation_weight": 1.5}, SchemaError, "distillation_weight")],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_a_run(options, error, message, tiny_reader, tmp_path):
    with pytest.raises(error, match=message):
        train_reader(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_temperature_is_for_logits(tmp_path):
    with pytest.raises(InvalidInputError, match="is for classifiers"):
        training.train(
            "linear_regression", data="sample", teacher="mlp", distillation_temperature=2.0
        )


def test_the_teacher_of_a_recipe_is_not_that_of_a_users_own_data(tiny_reader, tmp_path):
    recipe = tiny_reader / "recipe.toml"
    recipe.write_text(f'{recipe.read_text()}teacher = "lstm"\ndistillation_weight = 0.9\n')
    texts = [f"a {word} film of the year {year}" for year in range(20) for word in ("fine", "dull")]
    run = training.train(
        "tiny_reader", data=(texts, ["yes", "no"] * 20), run_dir=tmp_path / "run", epochs=1
    )
    assert run.model.keras_fm_spec.labels == ("no", "yes")
    assert "distilled" not in run.report()
    assert Recipe.default_of("distillation_weight") == 0.5


def test_the_teacher_of_a_recipe_for_own_data_stays(tiny_reader, tmp_path):
    recipe = tmp_path / "mine.toml"
    own = (tiny_reader / "recipe.toml").read_text().replace('"imdb_reviews"', '"yours"')
    recipe.write_text(f'{own}teacher = "lstm"\ndistillation_weight = 0.9\n')
    texts = [f"a {word} film of the year {year}" for year in range(20) for word in ("fine", "dull")]
    labels = ["positive", "negative"] * 20
    run = training.train(
        "tiny_reader", data=(texts, labels), recipe=recipe, run_dir=tmp_path / "run", epochs=1
    )
    assert "distilled from lstm" in run.report()


def test_own_data_have_no_unlabeled_split(tiny_reader, tmp_path):
    texts = [f"a {word} film of the year {year}" for year in range(20) for word in ("fine", "dull")]
    with pytest.raises(InvalidInputError, match="'more' is a split of a TFDS data set"):
        training.train(
            "tiny_reader", data=(texts, ["positive", "negative"] * 20), run_dir=tmp_path / "run",
            epochs=1, teacher="lstm", unlabeled_split="more",
        )  # fmt: skip
    assert not (tmp_path / "run").exists()
