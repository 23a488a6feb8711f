"""The stages of a fine-tuning: in which order, and on which data; nothing is trained."""

from types import SimpleNamespace

import helpers
import numpy as np
import pytest

from keras_fm.data.examples import Examples
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError
from keras_fm.models import loading, run_files
from keras_fm.models.spec import spec_of
from keras_fm.training import fine_tuning, fine_tuning_jobs, jobs, monitoring
from keras_fm.training.fine_tuning_jobs import HEAD_STAGE, MAIN_STAGE, SCRATCH_STAGE


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
    ("fields", "message"),
    [
        ({"targets": np.arange(12)}, "from 0 to 2; received 0 to 11"),
        ({"inputs": np.zeros((12, 8, 8, 3), np.uint8)}, r"uint8 \[12, 8, 8, 3\]"),
        ({"targets": np.zeros(5, int)}, "received 5 and 12"),
    ],
    ids=["labels", "size", "count"],
)
def test_validation_data_is_checked_as_the_training_data_is(fields, message):
    spec = spec_of(loading.get("cifar_cnn_basic", weights=None))
    noise = helpers.noise(12)
    invalid = Examples(**{"inputs": noise.inputs, "targets": noise.targets, **fields,
                          "description": "the other ones"})  # fmt: skip
    options = fine_tuning_jobs.resolve_options(spec, "head", 0, {})
    data = UserData(noise, class_names=["a", "b", "c"])
    validation = fine_tuning_jobs.validation_source(data, invalid, None, None, {})
    with pytest.raises(DataError, match=f"the other ones.*{message}"):
        fine_tuning_jobs.fine_tuning_jobs(spec, data, validation, options)
