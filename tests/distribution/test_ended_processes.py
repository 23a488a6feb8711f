"""Processes of a training that end, never arrive, or train something else."""

import os
import signal

import pytest
from training_processes import (
    UNEVEN,
    assert_one_sentence,
    assert_same_rows,
    ended,
    free_address,
    history_of,
    settings,
    start_training,
    wait_for_rows,
)

from keras_fm.files import PREFIX

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(2500)]

# The rate of a schedule would depend on the number of epochs, which the test changes.
LONG = {**UNEVEN, "epochs": 5000, "schedule": "constant", "warmup_fraction": 0.0}
SECONDS = 60  # within which the others end


def set_epochs(run, epochs):
    """Let a run be over after so many epochs."""
    recipe = run / "recipe.toml"
    text = recipe.read_text("utf-8")
    assert text.count("epochs = 5000") == 1
    recipe.write_text(text.replace("epochs = 5000", f"epochs = {epochs}"))


def assert_others_end(processes, count, indices):
    outputs = ended(processes, SECONDS)
    for index, process, (_, errors) in zip(indices, processes, outputs, strict=True):
        assert_one_sentence(process, errors, f"process {index} of {count} stops, for another one")


@pytest.mark.by_hand
def test_a_killed_training_is_resumed_by_fewer_processes(tmp_path):
    run, alone = tmp_path / "run", tmp_path / "alone"
    # A worker of four is killed.
    *others, worker = start_training(run, 4, *settings(**LONG))
    wait_for_rows(run, 1)
    worker.kill()
    assert_others_end(others, 4, [0, 1, 2])
    worker.communicate()
    by_four = len(history_of(run))
    # Two resume it, of which process 0 is killed.
    first, second = start_training(run, 2, "--resume")
    wait_for_rows(run, by_four + 1)
    first.kill()
    ended([second], SECONDS)
    assert second.returncode  # JAX ends it with a stack trace: its coordination service is gone
    first.communicate()
    # One resumes it, and has learned what one alone learns from the beginning.
    epochs = len(history_of(run)) + 1
    assert epochs > by_four + 1
    set_epochs(run, epochs)
    processes = [
        *start_training(run, 1, "--resume"),
        *start_training(alone, 1, *settings(**{**LONG, "epochs": epochs})),
    ]
    outputs = ended(processes)
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert_same_rows(history_of(run), history_of(alone))


def test_a_stopped_process_ends_the_other_and_leaves_nothing_half_written(tmp_path):
    run = tmp_path / "run"
    first, second = start_training(run, 2, *settings(**LONG))
    wait_for_rows(run, 1)
    second.send_signal(signal.SIGINT)
    [(_, errors)] = ended([second], SECONDS)
    assert second.returncode == 130, errors
    assert errors.splitlines()[-1].startswith("keras-fm: stopped; resume the run of process 0")
    assert_others_end([first], 2, [0])
    files = [path for path in run.rglob("*") if path.is_file()]
    assert run / "history.csv" in files
    assert run / "result.json" not in files
    assert not [path for path in files if path.name.startswith(PREFIX)]  # of a file half written
    # One process resumes it: what was written is whole.
    set_epochs(run, len(history_of(run)) + 1)
    [process] = start_training(run, 1, "--resume")
    [(_, errors)] = ended([process])
    assert process.returncode == 0, errors


def test_processes_of_other_seeds_end_before_anything_is_written(tmp_path):
    processes = start_training(
        tmp_path / "run", 2, *settings(**UNEVEN), per_process=[(), ("--seed", 1)]
    )
    for process, (_, errors) in zip(processes, ended(processes), strict=True):
        assert_one_sentence(process, errors, "process 1 has another seed than process 0: ")
    assert os.listdir(tmp_path) == []


def test_a_process_that_never_arrives_ends_the_other_after_the_time_that_is_set(tmp_path):
    address = free_address()
    [process] = start_training(tmp_path / "run", 2, "--hosts-timeout=2", address=address, only=[0])
    [(_, errors)] = ended([process])
    assert_one_sentence(
        process,
        errors,
        f"1 of 2 processes have arrived at {address} within 2 seconds, without process 1: ",
    )
    assert os.listdir(tmp_path) == []
