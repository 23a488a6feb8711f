"""How TensorFlow is imported: oneDNN for trainings, where it would be left off."""

import os
import subprocess
import sys

import pytest

import keras_fm
from keras_fm import cpu, startup
from keras_fm.cli import app
from keras_fm.training import announcements

OLD = {"fpu", "avx2", "fma"}


@pytest.mark.parametrize(
    ("cpuinfo", "flags"),
    [
        ("processor : 0\nflags\t\t: fpu avx2\n\nflags\t\t: fpu avx2\n", {"fpu", "avx2"}),
        ("Features\t: fp asimd bf16\n", {"fp", "asimd", "bf16"}),
        ("", set()),
    ],
)
def test_cpu_flags_are_those_of_cpuinfo(cpuinfo, flags, monkeypatch):
    monkeypatch.setattr(cpu.Path, "read_text", lambda *arguments: cpuinfo)
    assert cpu.cpu_flags() >= flags
    assert bool(cpu.cpu_flags()) is bool(flags)


def test_a_machine_without_cpuinfo_has_no_flags(monkeypatch):
    def missing(*arguments):
        raise FileNotFoundError

    monkeypatch.setattr(cpu.Path, "read_text", missing)
    assert cpu.cpu_flags() == set()


@pytest.mark.parametrize(
    ("flags", "variable", "lacks"),
    [
        (OLD, None, True),
        (OLD, "0", False),  # decided by the caller
        (OLD, "1", False),
        (OLD | {"avx512f"}, None, True),
        (OLD | {"avx512_vnni"}, None, False),  # TensorFlow has it on
        (OLD | {"avx_vnni"}, None, False),
        (OLD | {"amx_tile"}, None, False),
        ({"fp", "asimd"}, None, False),  # Arm
        (set(), None, False),
    ],
)
def test_tensorflow_lacks_onednn_on_cpus_with_avx2_alone(flags, variable, lacks, monkeypatch):
    monkeypatch.setattr(startup, "cpu_flags", lambda: flags)
    monkeypatch.delenv(startup.ONEDNN, raising=False)
    if variable is not None:
        monkeypatch.setenv(startup.ONEDNN, variable)
    assert startup.lacks_onednn() is lacks


def without_the_variable():
    """Return the environment of this process without `TF_ENABLE_ONEDNN_OPTS`."""
    return {name: value for name, value in os.environ.items() if name != startup.ONEDNN}


def variable_after(code, **variables):
    """Return `TF_ENABLE_ONEDNN_OPTS` after code in a process of its own, on a CPU with AVX2."""
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, keras_fm, keras_fm.startup\n"
            f"keras_fm.startup.cpu_flags = lambda: {OLD}\n"
            f"{code}\n"
            f"print(os.environ.get('{startup.ONEDNN}'))",
        ],
        env=without_the_variable() | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout.strip()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("code", "variables", "expected"),
    [
        ("keras_fm.train", {}, "1"),
        ("keras_fm.fine_tune", {}, "1"),
        ("keras_fm.tune", {}, "1"),
        ("keras_fm.train", {startup.ONEDNN: "0"}, "0"),
        ("keras_fm.pipeline", {}, "None"),
        ("import tensorflow; keras_fm.train", {}, "None"),  # too late
    ],
)
def test_a_training_imports_tensorflow_with_onednn(code, variables, expected):
    assert variable_after(code, **variables) == expected


@pytest.mark.thorough
@pytest.mark.parametrize(("variables", "is_on"), [({}, True), ({startup.ONEDNN: "0"}, False)])
def test_tensorflow_reads_the_variable(variables, is_on):
    code = "import os, keras_fm, keras_fm.startup as s; s.cpu_flags = lambda: {'avx2'}"
    process = subprocess.run(
        [sys.executable, "-c", f"{code}; keras_fm.train"],
        env=without_the_variable() | variables | {"TF_CPP_MIN_LOG_LEVEL": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("oneDNN custom operations are on" in process.stderr) is is_on


@pytest.mark.parametrize(
    ("arguments", "trains"),
    [
        (["train", "mlp"], True),
        (["fine-tune", "cifar_cnn", "cifar10"], True),
        (["tune", "mlp", "--data", "sample"], True),
        (["demo"], True),
        (["evaluate", "mlp"], False),
        (["export", "mlp", "exports/mlp"], False),
        (["predict", "lstm", "A fine film."], False),
    ],
)
def test_commands_say_whether_they_train(arguments, trains, monkeypatch, tmp_path):
    class ReachedError(Exception):
        pass

    def import_keras(*, trains):
        raise ReachedError(trains)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(app, "_import_keras", import_keras)
    monkeypatch.setattr("keras_fm.cli.tune._check", None)  # Optuna need not be here
    with pytest.raises(ReachedError) as reached:
        app.main(arguments)
    assert reached.value.args == (trains,)


@pytest.mark.parametrize(
    ("lacks", "gpus", "says"), [(True, [], True), (True, ["A100"], False), (False, [], False)]
)
def test_a_training_says_when_it_came_too_late(lacks, gpus, says, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(announcements, "lacks_onednn", lambda: lacks)
    monkeypatch.setattr(announcements, "gpus", lambda: gpus)
    options = {"epochs": 1, "run_dir": tmp_path / "run", "verbose": 2}
    keras_fm.train("linear_regression", data="sample", **options)
    assert (f"{startup.ONEDNN}=1" in capsys.readouterr().out) is says
