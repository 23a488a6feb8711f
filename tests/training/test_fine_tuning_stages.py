"""The stages of a fine-tuning: in which order, and on which data; nothing is trained."""

from types import SimpleNamespace

import helpers
import pandas as pd
import pytest

from keras_fm.data import datasets
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError
from keras_fm.models import loading, run_files
from keras_fm.models.spec import spec_of
from keras_fm.training import (
    fine_tuning,
    fine_tuning_jobs,
    fine_tuning_options,
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
        fine_tuning, "fit", lambda model, job, path, **_: events.append(f"train {job.name}") or run
    )
    build = lambda job: events.append(f"build {job.name}") or "model"  # noqa: E731
    monkeypatch.setattr(fine_tuning, "_initial_model", lambda pretrained, job: build(job))
    monkeypatch.setattr(jobs, "initial_model", build)
    monkeypatch.setattr(fine_tuning, "_linear_probe", lambda *_: {})
    monkeypatch.setattr(monitoring, "print_stage", lambda *_: None)
    monkeypatch.setattr(run_files, "is_complete", lambda path: False)
    stage_jobs = {
        stage: SimpleNamespace(name=stage or "main", recipe=None, validation=None)
        for stage in [*others, MAIN_STAGE]
    }
    main_model = build(stage_jobs[MAIN_STAGE])
    fine_tuning._run_stages("pretrained", main_model, stage_jobs, tmp_path)
    assert events[-2:] == ["build main", "train main"]
    trained = [event.removeprefix("train ") for event in events if event.startswith("train")]
    assert trained == [*others, "main"]


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
    model = fine_tuning._initial_model(pretrained, job)
    assert {layer.name for layer in model.layers if layer.trainable_weights} == trainable


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
