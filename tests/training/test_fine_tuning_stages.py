"""The stages of a fine-tuning: in which order, and on which data; nothing is trained."""

from types import SimpleNamespace

import helpers
import numpy as np
import pandas as pd
import pytest

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError
from keras_fm.models import building, loading, run_files
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.training import (
    fine_tuning,
    fine_tuning_jobs,
    fine_tuning_options,
    fine_tuning_stages,
    jobs,
    monitoring,
)
from keras_fm.training.fine_tuning_options import HEAD_STAGE, MAIN_STAGE, SCRATCH_STAGE


@pytest.mark.parametrize(
    "others", [[], [SCRATCH_STAGE], [HEAD_STAGE], [SCRATCH_STAGE, HEAD_STAGE]], ids=str
)
def test_the_main_stage_is_built_behind_every_other_training(others, monkeypatch, tmp_path):
    """A build sets the seed of all that the training draws."""
    events = []
    run = SimpleNamespace(model=None, metrics={})
    monkeypatch.setattr(
        fine_tuning_stages,
        "fit",
        lambda model, job, path, **_: events.append(f"train {job.name}") or run,
    )
    build = lambda job: events.append(f"build {job.name}") or "model"  # noqa: E731
    monkeypatch.setattr(fine_tuning_stages, "stage_model", lambda pretrained, job: build(job))
    monkeypatch.setattr(jobs, "initial_model", build)
    monkeypatch.setattr(fine_tuning_stages, "_linear_probe", lambda *_: {})
    monkeypatch.setattr(monitoring, "print_stage", lambda *_: None)
    monkeypatch.setattr(run_files, "is_complete", lambda path: False)
    stage_jobs = {
        stage: SimpleNamespace(name=stage or "main", recipe=None, validation=None)
        for stage in [*others, MAIN_STAGE]
    }
    main_model = build(stage_jobs[MAIN_STAGE])
    fine_tuning_stages.run_stages("pretrained", main_model, stage_jobs, tmp_path)
    assert events[-2:] == ["build main", "train main"]
    trained = [event.removeprefix("train ") for event in events if event.startswith("train")]
    assert trained == [*others, "main"]


def test_the_main_stage_starts_from_the_model_of_the_head_stage(monkeypatch, tmp_path):
    starts = []
    run = SimpleNamespace(model="trained head", metrics={})
    monkeypatch.setattr(fine_tuning_stages, "fit", lambda *_, **__: run)
    monkeypatch.setattr(
        fine_tuning_stages, "stage_model", lambda model, job: starts.append((job.name, model))
    )
    monkeypatch.setattr(fine_tuning_stages, "_linear_probe", lambda *_: {})
    monkeypatch.setattr(monitoring, "print_stage", lambda *_: None)
    stage_jobs = {
        stage: SimpleNamespace(name=stage or "main", recipe=None, validation=None)
        for stage in (HEAD_STAGE, MAIN_STAGE)
    }
    fine_tuning_stages.run_stages("pretrained", None, stage_jobs, tmp_path)
    assert starts == [("head", "pretrained"), ("main", "trained head")]


@pytest.mark.parametrize(
    ("strategy", "trainable"),
    [
        ("head", {"logits"}),
        ("full", {"conv", "norm", "logits"}),
        ("lora", {"conv", "logits"}),
    ],
)
def test_a_strategy_says_which_layers_are_trained(strategy, trainable, tiny_net):
    pretrained = loading.get("tiny_net", weights=None)
    options = fine_tuning_options.resolve_options(spec_of(pretrained), strategy, 0, {})
    data = UserData(helpers.noise(24), class_names=["a", "b", "c"])
    [job] = fine_tuning_jobs.fine_tuning_jobs(spec_of(pretrained), data, None, options).values()
    model = fine_tuning_stages.stage_model(pretrained, job)
    assert {layer.name for layer in model.layers if layer.trainable_weights} == trainable


def test_a_head_begins_with_the_statistics_of_the_new_target():
    pretrained = loading.get("linear_regression")
    sample = datasets.sample("diamonds")
    data = UserData(pd.DataFrame({**sample.inputs, "cost": 7 * sample.targets}), target="cost")
    options = fine_tuning_options.resolve_options(spec_of(pretrained), "head", 0, {})
    [job] = fine_tuning_jobs.fine_tuning_jobs(spec_of(pretrained), data, None, options).values()
    model = fine_tuning_stages.stage_model(pretrained, job)
    assert job.spec.inputs == spec_of(pretrained).inputs
    assert not job.spec.target.log
    predictions = job.task.predictor.predict_examples(model, job.examples)
    # A new head has weights of zero.
    np.testing.assert_allclose(predictions, job.examples.targets.mean(), rtol=1e-5)


def test_what_was_pretrained_is_fine_tuned_as_the_model_itself(tiny_reader):
    package, _ = registry.find("tiny_filler")
    pretrained = building.build(ModelSpec.of_pretraining(package))
    assert spec_of(pretrained).task_name == "fill-mask"
    assert fine_tuning._spec_to_fine_tune(pretrained) == ModelSpec.of(package)
    classifier = building.build(ModelSpec.of(package).with_class_names(["a", "b", "c"]))
    assert fine_tuning._spec_to_fine_tune(classifier).labels == ("a", "b", "c")


@pytest.mark.parametrize(
    ("count", "overrides", "batch_size"),
    [
        (24, {}, 8),
        (320, {}, 20),
        (700, {}, 32),
        (24, {"batch_size": 5}, 5),
        (24, {"head.batch_size": 5}, 8),
    ],
)
def test_few_examples_make_small_batches(count, overrides, batch_size, tiny_net):
    spec = spec_of(loading.get("tiny_net", weights=None))
    options = fine_tuning_options.resolve_options(spec, "head_then_full", 0, overrides)
    data = UserData(helpers.noise(count, classes=2), class_names=["a", "b"])
    stage_jobs = fine_tuning_jobs.fine_tuning_jobs(spec, data, None, options)
    assert stage_jobs[MAIN_STAGE].recipe.batch_size == batch_size
    head_size = overrides.get("head.batch_size", batch_size)
    assert stage_jobs[HEAD_STAGE].recipe.batch_size == head_size


@pytest.mark.parametrize(
    ("overrides", "head", "main"),
    [
        ({"learning_rate": 0.5}, {}, {"learning_rate": 0.5}),
        ({"head.learning_rate": 0.5}, {"learning_rate": 0.5}, {}),
        ({"epochs": 3}, {"epochs": 3}, {"epochs": 3}),
        ({"epochs": 3, "head.epochs": 2}, {"epochs": 2}, {"epochs": 3}),
    ],
    ids=str,
)
def test_an_option_is_of_one_stage_or_of_both(overrides, head, main, tiny_net):
    spec = spec_of(loading.get("tiny_net", weights=None))
    recipes, defaults = (
        fine_tuning_options.stage_recipes(
            spec, fine_tuning_options.resolve_options(spec, "head_then_full", 0, fields)
        )
        for fields in (overrides, {})
    )
    assert recipes[HEAD_STAGE] == defaults[HEAD_STAGE].override(**head)
    assert recipes[MAIN_STAGE] == defaults[MAIN_STAGE].override(**main)


def test_what_is_trained_from_scratch_to_compare_has_the_same_conditions(tiny_net):
    spec = spec_of(loading.get("tiny_net", weights=None))
    options = fine_tuning_options.resolve_options(spec, "full", 0, {"class_weight": "balanced"})
    data = UserData(helpers.noise(30), class_names=["a", "b", "c"])
    [job] = fine_tuning_jobs.fine_tuning_jobs(spec, data, None, options).values()
    scratch_job = fine_tuning_jobs.from_scratch_job(job, 7)
    assert (scratch_job.examples, scratch_job.validation) == (job.examples, job.validation)
    recipe = scratch_job.recipe
    assert recipe.optimizer == spec.task.default_recipe().optimizer
    assert (recipe.epochs, recipe.patience) == (7, 7), "the best weights of all epochs"
    assert (recipe.class_weight, recipe.validation_examples) == ("balanced", 6)


@pytest.mark.parametrize(
    ("validation_split", "overrides", "count"),
    [(None, {}, 8), (0.1, {}, 4), (0.75, {}, 30), (None, {"validation_examples": 3}, 3)],
)
def test_a_fraction_or_a_number_of_examples_validates(validation_split, overrides, count, tiny_net):
    spec = spec_of(loading.get("tiny_net", weights=None))
    options = fine_tuning_options.resolve_options(spec, "head", 0, overrides)
    data = UserData(helpers.noise(40, classes=2), class_names=["a", "b"])
    [job] = fine_tuning_jobs.fine_tuning_jobs(spec, data, None, options, validation_split).values()
    assert (len(job.examples), len(job.validation)) == (40 - count, count)


def test_numbers_of_every_size_validate():
    spec = spec_of(loading.get("linear_regression"))
    sample = datasets.sample("diamonds")
    data = UserData(pd.DataFrame({**sample.inputs, "price": np.arange(1, 257)}), target="price")
    options = fine_tuning_options.resolve_options(spec, "head", 0, {})
    [job] = fine_tuning_jobs.fine_tuning_jobs(spec, data, None, options).values()
    assert len(job.validation) == 51
    assert np.histogram(job.validation.targets, 4, (1, 256))[0].min() >= 11


@pytest.mark.parametrize("price", [0.0, -3.0])
def test_validation_data_is_checked_as_the_training_data_is(price):
    spec = spec_of(loading.get("linear_regression"))
    sample = datasets.sample("diamonds")
    frame = pd.DataFrame({**sample.inputs, "price": sample.targets})
    data = UserData(frame, target="price")
    other_frame = frame[:20].assign(price=[price, *frame["price"][1:20]])
    validation = fine_tuning_options.validation_source(data, other_frame, None, None, {})
    options = fine_tuning_options.resolve_options(spec, "head", 0, {})
    with pytest.raises(DataError, match=r"20 rows.*logarithm, and 1 targets"):
        fine_tuning_jobs.fine_tuning_jobs(spec, data, validation, options)
