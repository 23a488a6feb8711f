"""Kills trainings at random moments, resumes them, and compares them with uninterrupted ones.

    python tests/faults/killed_runs.py --kills 20

Each training is a process of its own on the bundled sample, killed by SIGKILL once or twice.
Weights, optimizer and history must be bitwise equal; a kill takes about a minute.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from keras_fm.models import run_files
from keras_fm.training import runs

# Recipe fields for a few dozen steps; together they have every kind of training state.
TRAININGS = {
    "cifar_cnn": {"epochs": 3, "batch_size": 64},
    "lstm": {"epochs": 3, "batch_size": 64},
    "gan": {"epochs": 4, "batch_size": 64},
    "mini_bert": {
        "init_from": "pretraining",
        "epochs": 2,
        "batch_size": 64,
        "pretraining.epochs": 4,
        "pretraining.batch_size": 16,
    },
}
CODE = """
import sys
from keras_fm.models import run_files
from keras_fm.training import training
name, path, seed, options = sys.argv[1], sys.argv[2], int(sys.argv[3]), eval(sys.argv[4])
options = {"resume": True} if run_files.is_run(path) else {"seed": seed, **options}
training.train(name, data="sample", run_dir=path, **options)
"""


def main() -> int:
    """Print a line for each kill; return 1 if a training ended with another result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20, help="how many (default: 20)")
    parser.add_argument("--models", nargs="+", default=[*TRAININGS], choices=TRAININGS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, failed = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        references = {name: _run_uninterrupted(name, Path(folder)) for name in options.models}
        for number in range(options.kills):
            name = options.models[number % len(options.models)]
            reference, seconds = references[name]
            run = Path(folder) / f"{name}-{number}"
            moments = _kill_and_resume(name, run, seconds, rng)
            difference = _difference(reference, run)
            failed += bool(difference)
            print(f"{name} killed after {moments} s: {difference or 'equal'}", flush=True)
    print(f"{options.kills} trainings killed, {failed} with another result")
    return 1 if failed else 0


def _start(name: str, run: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", CODE, name, str(run), "0", repr(TRAININGS[name])]
    with run.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def _run_uninterrupted(name: str, folder: Path) -> tuple[Path, float]:
    run, started = folder / f"{name}-reference", time.monotonic()
    _wait(_start(name, run), run)
    seconds = time.monotonic() - started
    print(f"{name}: {seconds:.0f} s without a kill", flush=True)
    return run, seconds


def _kill_and_resume(name: str, run: Path, seconds: float, rng: random.Random) -> list[float]:
    """Kill the training once or twice; return after how many seconds."""
    moments = [round(rng.uniform(0.2, 1.0) * seconds, 1) for _ in range(rng.choice([1, 2]))]
    for moment in moments:
        process = _start(name, run)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        if run_files.is_complete(run):
            return moments
    _wait(_start(name, run), run)
    return moments


def _wait(process: subprocess.Popen[bytes], run: Path) -> None:
    if process.wait() != 0:
        sys.exit(f"{run.name} failed:\n{run.with_suffix('.log').read_text()[-3000:]}")


def _difference(reference: Path, run: Path) -> str:
    """Name the files that differ between two finished runs."""
    differences = []
    for file in sorted(reference.glob("**/model.weights.h5")):
        name = file.relative_to(reference)
        expected, actual = _arrays(file), _arrays(run / name)
        if expected.keys() != actual.keys() or not all(
            np.array_equal(expected[key], actual[key]) for key in expected
        ):
            differences.append(f"weights of {name.parent}")
    for file in sorted(reference.glob("**/history.csv")):
        name = file.relative_to(reference)
        expected_rows, actual_rows = (
            [{k: v for k, v in row.items() if k != "seconds"} for row in runs.read_history(path)]
            for path in (file, run / name)
        )
        if expected_rows != actual_rows:
            differences.append(f"history of {name.parent}")
    return ", ".join(differences)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: arrays.update({name: item[()]} if hasattr(item, "dtype") else {})
        )
    return arrays


if __name__ == "__main__":
    sys.exit(main())
