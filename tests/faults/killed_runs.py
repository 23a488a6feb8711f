"""Kills trainings at random moments, resumes them, and compares them with uninterrupted ones.

    python tests/faults/killed_runs.py --kills 20

Each training is a process of its own on the bundled sample, killed by SIGKILL until it may end.
Weights, optimizer and history have to be the same bits; takes about a minute a kill.
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

# The recipe's sizes for a few dozen steps; every kind of state that a training has is among them.
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
    """Print a line for each training; return 1 if one of them ended otherwise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20, help="how many in all (default: 20)")
    parser.add_argument("--models", nargs="+", default=[*TRAININGS], choices=TRAININGS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, num_different = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        uninterrupted = {name: _uninterrupted(name, Path(folder)) for name in options.models}
        for number in range(options.kills):
            name = options.models[number % len(options.models)]
            reference, seconds = uninterrupted[name]
            run = Path(folder) / f"{name}-{number}"
            moments = _kill_and_resume(name, run, seconds, rng)
            difference = _difference(reference, run)
            num_different += bool(difference)
            print(f"{name} killed after {moments} s: {difference or 'the same'}", flush=True)
    print(f"{options.kills} trainings killed, {num_different} ended otherwise")
    return 1 if num_different else 0


def _start(name: str, run: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", CODE, name, str(run), "0", repr(TRAININGS[name])]
    with run.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def _uninterrupted(name: str, folder: Path) -> tuple[Path, float]:
    run, start = folder / f"{name}-uninterrupted", time.monotonic()
    _end(_start(name, run), run)
    seconds = time.monotonic() - start
    print(f"{name}: {seconds:.0f} s without a kill", flush=True)
    return run, seconds


def _kill_and_resume(name: str, run: Path, seconds: float, rng: random.Random) -> list[float]:
    """Kill it once or twice; return after how many seconds."""
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
    _end(_start(name, run), run)
    return moments


def _end(process: subprocess.Popen[bytes], run: Path) -> None:
    if process.wait() != 0:
        sys.exit(f"{run.name} failed:\n{run.with_suffix('.log').read_text()[-3000:]}")


def _difference(reference: Path, run: Path) -> str:
    """Return what differs between two finished runs."""
    differences = []
    for file in sorted(reference.glob("**/model.weights.h5")):
        one, other = (_arrays(path) for path in (file, run / file.relative_to(reference)))
        same = one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)
        differences += [] if same else [f"weights of {file.relative_to(reference).parent}"]
    for file in sorted(reference.glob("**/history.csv")):
        one, other = (
            [{k: v for k, v in row.items() if k != "seconds"} for row in runs.read_history(path)]
            for path in (file, run / file.relative_to(reference))
        )
        differences += [] if one == other else [f"history of {file.relative_to(reference).parent}"]
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
