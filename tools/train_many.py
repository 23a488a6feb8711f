"""Runs a queue of trainings, several side by side, within a time limit; each is resumable.

    python tools/train_many.py prepare QUEUE DATA [--checkout CHECKOUT]
    python tools/train_many.py run QUEUE DIRECTORY --parallel 4 --minutes 9 --data DATA --pack OUT
    python tools/train_many.py unpack OUT DIRECTORY

The queue is a TOML file:

    [[jobs]]
    name = "cifar0"           # of its run directory
    model = "cifar_cnn"
    seed = 0
    worth = 2.0               # those of the highest start first; 1 by default
    recipe = "laptop"         # a file, or the name of one in the model's folder; left out: its own
    data = "sample"           # left out: the recipe's data set
    set = { epochs = 100 }    # fields of the recipe

`prepare` writes the data sets that the queue needs to `.npz` files, for a machine without TFDS.
`--checkout` writes what else its trainings read into a new folder of a few megabytes: the package,
the zoo's models, recipes and vocabularies, this tool, and of the weights those that a job starts
from, learns from or is evaluated by. There, in that folder,

    PYTHONPATH=. KERAS_BACKEND=jax python tools/train_many.py run QUEUE DIRECTORY --data DATA ...

needs no TensorFlow: JAX and the packages of `setup.cfg` but `tensorflow*`, `tensorboard` and
`importlib_resources` are enough. The runs then have no logs for TensorBoard; `unpack` writes some,
of histories and results, on a machine with TensorFlow.

`run` stops all trainings by SIGINT at the end of the time; the same call resumes them, and skips
those that are complete. `--pack` writes each run directory as a tar archive, in parts of 16 MiB;
`unpack` puts them back.
"""

import argparse
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

import keras_fm
from keras_fm import registry, store
from keras_fm.data import dataset_files, datasets
from keras_fm.errors import KerasFmError, RunError, SchemaError
from keras_fm.models import run_files
from keras_fm.registry import schema
from keras_fm.registry.recipe import Recipe, load_recipe, recipe_class_of
from keras_fm.registry.toml import read_toml
from keras_fm.training import event_files
from keras_fm.training.recipe_overrides import PRETRAINING, split_overrides
from keras_fm.training.train_arguments import check_train, default_init_from, train_recipe_file

PART_BYTES = 16 * 2**20
GRACE_SECONDS = 30.0  # for what SIGINT does not end
_POLL_SECONDS = 0.2


class Job(schema.Struct, frozen=True, kw_only=True):
    """One training; the fields are those of the queue's file."""

    name: Annotated[str, Meta(pattern=r"^[\w-]+$")]
    model: str
    seed: int = 0
    worth: float = 1.0
    recipe: str | None = None
    data: str | None = None
    set: dict[str, Any] = {}


class Queue(schema.Struct, frozen=True, kw_only=True):
    """The queue's file."""

    jobs: list[Job]


@dataclass
class Running:
    """A training that runs."""

    job: Job
    process: subprocess.Popen[bytes]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("prepare")
    command.add_argument("queue", type=Path)
    command.add_argument("data", type=Path)
    command.add_argument("--checkout", type=Path)
    command = commands.add_parser("run")
    command.add_argument("queue", type=Path)
    command.add_argument("directory", type=Path)
    command.add_argument("--parallel", type=int, default=1)
    command.add_argument("--minutes", type=float, default=float("inf"))
    command.add_argument("--data", type=Path)
    command.add_argument("--pack", type=Path)
    command = commands.add_parser("unpack")
    command.add_argument("packed", type=Path)
    command.add_argument("directory", type=Path)
    options = parser.parse_args(arguments)
    try:
        if options.command == "prepare":
            jobs = read_queue(options.queue)
            for path in prepare(jobs, options.data):
                print(path)
            if options.checkout:
                write_checkout(jobs, options.checkout)
                print(options.checkout)
            return 0
        if options.command == "unpack":
            unpack(options.packed, options.directory)
            return 0
        jobs = read_queue(options.queue)
        for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background ignores the first one
            signal.signal(number, signal.default_int_handler)  # the trainings stop too
        failed = run(jobs, options.directory, options.parallel, options.minutes, options.data)
        if options.pack:
            pack(jobs, options.directory, options.pack)
    except KerasFmError as error:
        parser.exit(1, f"{error}\n")
    print(*summary(jobs, options.directory, failed), sep="\n")
    return 1 if failed else 0


def read_queue(path: Path) -> list[Job]:
    """Return the jobs, those of the highest worth first.

    Raises:
        SchemaError: The file has a mistake, or two jobs have one name.
    """
    jobs = schema.convert(read_toml(path), Queue, where=str(path)).jobs
    names = [job.name for job in jobs]
    for name in names:
        if names.count(name) > 1:
            raise SchemaError(f"{path}: field 'name': {names.count(name)} jobs are named {name!r}")
    return sorted(jobs, key=lambda job: -job.worth)


def needed_data(job: Job) -> Iterator[tuple[str, str]]:
    """Yield the data sets and the splits that a job loads, but for the bundled sample."""
    if job.data is not None:
        return
    package, _ = registry.find(job.model)
    entry = package.entry
    recipe, pretraining = _recipe_of(job, package)
    yield recipe.dataset, entry.split("train")
    if "adapt" in entry.splits:
        yield recipe.dataset, entry.split("adapt")
    if recipe.unlabeled_split:
        yield recipe.dataset, recipe.unlabeled_split
    if default_init_from(package, None) == PRETRAINING:
        first = load_recipe(
            package.path / registry.PRETRAINING, recipe_class_of(str(entry.pretraining))
        ).override(**pretraining)
        yield first.dataset, entry.split(PRETRAINING)


def needed_weights(job: Job) -> set[str]:
    """Return the names of the weights that a job starts from, learns from or is evaluated by."""
    package, _ = registry.find(job.model)
    recipe, _ = _recipe_of(job, package)
    init_from = default_init_from(package, job.data)
    names = {package.entry.evaluator, recipe.teacher, init_from}
    return {name for name in names if name not in (None, "", PRETRAINING, run_files.RANDOM)}


def _recipe_of(job: Job, package: registry.ModelPackage) -> tuple[Recipe, dict[str, Any]]:
    """Return the recipe of a job, and what it changes in that of the pretraining."""
    overrides, pretraining = split_overrides(job.set)
    file = train_recipe_file(job.recipe, package)
    recipe = file.any_recipe(package.entry.task) or load_recipe(
        package.path / registry.RECIPE, recipe_class_of(package.entry.task)
    )
    return recipe.override(**file.merged(overrides, validates_otherwise=False)), pretraining


def write_checkout(jobs: Sequence[Job], folder: Path) -> None:
    """Write the files that trainings need, but for Python's packages and the data.

    Raises:
        RunError: There is something in the folder.
    """
    if folder.exists() and any(folder.iterdir()):
        raise RunError(f"{folder} exists; name a new folder for the checkout")
    package = Path(keras_fm.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__", "zoo")
    shutil.copytree(package, folder / "keras_fm", ignore=ignored, dirs_exist_ok=True)
    (folder / "tools").mkdir()
    shutil.copy2(__file__, folder / "tools")
    zoo, copy = Path(str(resources.files("keras_fm.zoo"))), folder / "keras_fm" / "zoo"
    # Not what a user reads and sees, and the weights below.
    ignored = shutil.ignore_patterns("__pycache__", "weights", "*.md", "*.svg")
    shutil.copytree(zoo, copy, ignore=ignored)
    for name in {name for job in jobs for name in needed_weights(job)}:
        model, tag = registry.find(name)
        target = copy / model.name / model.entry.weights_of(tag).file
        target.parent.mkdir(exist_ok=True)
        shutil.copy2(store.find_weights(model, tag).path, target)


def prepare(jobs: Sequence[Job], folder: Path) -> list[Path]:
    """Write the files of the data sets that are not there yet, and return them."""
    needed = dict.fromkeys(item for job in jobs for item in needed_data(job))
    paths = []
    for dataset, split in needed:
        path = dataset_files.file_of(folder, dataset, split)
        if not path.exists():
            dataset_files.write(path, datasets.load(dataset, split))
        paths.append(path)
    return paths


def run(
    jobs: Sequence[Job], directory: Path, parallel: int, minutes: float, data: Path | None
) -> dict[str, str]:
    """Train until all jobs are complete or the time is over; return what failed, and why."""
    deadline = time.monotonic() + 60 * minutes
    waiting = [job for job in jobs if not run_files.is_complete(directory / job.name)]
    for job in waiting:
        _check(job, directory)
    directory.mkdir(parents=True, exist_ok=True)
    running: list[Running] = []
    failed: dict[str, str] = {}
    try:
        while (waiting or running) and time.monotonic() < deadline:
            while waiting and len(running) < parallel:
                running.append(_start(waiting.pop(0), directory, data))
            time.sleep(_POLL_SECONDS)
            for item in [item for item in running if item.process.poll() is not None]:
                running.remove(item)
                if item.process.returncode:
                    failed[item.job.name] = _last_line(directory, item.job)
    except KeyboardInterrupt:
        pass  # as at the end of the time: what there is, is kept
    finally:
        _stop(running)
    return failed


def _check(job: Job, directory: Path) -> None:
    """Check a job before the first one starts; what one left that had not begun is deleted."""
    path = directory / job.name
    resumes = run_files.is_run(path)
    was_started = (directory / f"{job.name}.log").exists()  # else the folder is the user's own
    if path.is_dir() and was_started and not resumes:
        shutil.rmtree(path)
    options: dict[str, Any] = {"run_dir": path, "data": job.data}
    if resumes:
        options["resume"] = True
    else:
        options |= {"recipe": job.recipe, "seed": job.seed, **job.set}
    try:
        check_train(job.model, **options)
    except KerasFmError as error:
        raise RunError(f"job {job.name!r}: {error}") from None


def _start(job: Job, directory: Path, data: Path | None) -> Running:
    path = directory / job.name
    words = ["train", job.model, "--run-dir", str(path), "--verbose", "2"]
    if job.data is not None:
        words += ["--data", job.data]
    if run_files.is_run(path):
        words.append("--resume")
    else:
        words += ["--seed", str(job.seed)]
        words += [] if job.recipe is None else ["--recipe", job.recipe]
        for name, value in job.set.items():
            words += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    environment = dict(os.environ)
    # Several processes share one GPU: JAX would take three quarters of its memory for the first.
    environment.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if data is not None:
        environment[dataset_files.FOLDER] = str(data.resolve())
    with (directory / f"{job.name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "keras_fm", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches them by `_stop` alone
            # Under `nohup ... &` SIGINT is ignored, and a child would inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    print(f"{'resumes' if '--resume' in words else 'starts'} {job.name}", flush=True)
    return Running(job, process)


def _stop(running: Sequence[Running]) -> None:
    for item in running:
        item.process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + GRACE_SECONDS
    for item in running:
        try:
            item.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            item.process.kill()  # checkpoints are complete or absent
            item.process.wait()


def _last_line(directory: Path, job: Job) -> str:
    lines = (directory / f"{job.name}.log").read_text("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no message")


def summary(jobs: Sequence[Job], directory: Path, failed: dict[str, str]) -> list[str]:
    """Return a line for each job: its state, epochs, seconds and figure."""
    rows = [("job", "state", "epochs", "seconds", "figure")]
    for job in jobs:
        path = directory / job.name
        history = run_files.read_history(path / run_files.HISTORY)
        seconds = sum(row["seconds"] for row in history)
        state, figure = "waits", ""
        if run_files.is_complete(path):
            [name, value] = next(iter(run_files.read_result(path)["metrics"].items()))
            state, figure = "complete", f"{name} {value:.4f}"
        elif history:
            losses = {name: value for name, value in history[-1].items() if name.endswith("loss")}
            state, figure = "stopped", ", ".join(f"{n} {v:.4f}" for n, v in losses.items())
        if job.name in failed:
            state, figure = "failed", failed[job.name]
        rows.append((job.name, state, str(len(history)), f"{seconds:.1f}", figure))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def pack(jobs: Sequence[Job], directory: Path, folder: Path) -> None:
    """Write each run directory into `NAME.tar.gz.000` and so on, of at most `PART_BYTES` each."""
    folder.mkdir(parents=True, exist_ok=True)
    for job in jobs:
        if not (directory / job.name).is_dir():
            continue
        for old in folder.glob(f"{job.name}.tar.gz.*"):
            old.unlink()
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
            archive.add(directory / job.name, job.name)
            archive.add(directory / f"{job.name}.log", f"{job.name}.log")
        packed = stream.getbuffer()
        for number, start in enumerate(range(0, len(packed), PART_BYTES)):
            part = folder / f"{job.name}.tar.gz.{number:03}"
            part.write_bytes(packed[start : start + PART_BYTES])


def unpack(folder: Path, directory: Path) -> None:
    """Put run directories back, instead of those that are there, with logs where they have none.

    Raises:
        RunError: A part is missing or damaged; the run directory that is there stays.
    """
    for first in sorted(folder.glob("*.tar.gz.000")):
        name = first.name.removesuffix(".tar.gz.000")
        parts = sorted(folder.glob(f"{name}.tar.gz.*"))
        partial = directory / f"{name}.partial"
        try:
            packed = io.BytesIO(b"".join(part.read_bytes() for part in parts))
            with tarfile.open(fileobj=packed, mode="r:gz") as archive:
                archive.extractall(partial, filter="data")
            packed.read()
        except (OSError, EOFError, tarfile.TarError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise RunError(f"{first}: a part is missing or damaged ({error})") from None
        shutil.rmtree(directory / name, ignore_errors=True)
        (partial / name).rename(directory / name)
        if event_files.can_write():
            from keras_fm.training.history_logs import write_history_logs  # imports Keras

            write_history_logs(directory / name)
        (partial / f"{name}.log").replace(directory / f"{name}.log")
        partial.rmdir()


if __name__ == "__main__":
    sys.exit(main())
