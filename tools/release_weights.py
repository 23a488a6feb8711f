"""Makes a finished run the released weights of its model: file, claims, curves.

    TFDS_DATA_DIR=... python tools/release_weights.py RUN [RUN ...] [--tag v1] [--mirror DIRECTORY]
    TFDS_DATA_DIR=... python tools/release_weights.py RUN [RUN ...] [--tag v1] --more-seeds

The runs are the same recipe from several seeds. The first one's weights are released; what the
entry claims of them is measured here on the stored file and the full test split, and has to be what
the run's own weights have. The other runs give mean and deviation. Writes `zoo/<model>/weights/`,
pictures for the card among it, and `[weights.<tag>]` into `entry.toml`, all of it only when it is
complete. Of a training that began with another task, `RUN/pretraining` is released in the same way,
under a tag of its own.

With `--more-seeds` the runs are further seeds of weights that are released already: they give mean
and deviation too, and the file stays.

A tag stays what it is: other weights under it want `--replace` with the reason, which the entry
keeps. With `--mirror`, the file is laid out in a folder for any static host, as `mirror_weights.py`
does; `--url` is where that folder will be found, and `--apart` leaves the file out of the package.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import keras
import mirror_weights
import tomlkit
from PIL import Image

from keras_fm import registry, store
from keras_fm.data import datasets
from keras_fm.errors import KerasFmError, RunError
from keras_fm.evaluation import evaluation, flops
from keras_fm.models import building, run_files
from keras_fm.models import weights as weights_files
from keras_fm.models.spec import spec_of
from keras_fm.registry import packages, recipe
from keras_fm.registry.entry import load_entry
from keras_fm.registry.metrics import METRICS
from keras_fm.store import cache
from keras_fm.tasks.base import task_of
from keras_fm.training import runs

LICENCE = "Apache-2.0"
Storage = Literal["float16", "float32"]


def main() -> None:
    options = _options()
    finished = [runs.load_run(path) for path in options.runs]
    room, _ = registry.find(spec_of(finished[0].model).name)
    _check_same_recipes(finished, room)
    _check_logs(finished[0])

    scores = [evaluation.evaluate(run.model) for run in finished]
    for run, score in zip(finished, scores, strict=True):
        print(f"{run.path}: {_claimed(score)}")
    if options.more_seeds:
        _write_entry(room, _with_seeds(room, options.tag, finished, scores))
        print(f"{room.name}.{options.tag} has {len(finished)} more seeds")
        return
    (room.path / "weights").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=room.path / "weights", prefix=".draft-") as folder:
        file = _store(finished[0], Path(folder), f"{room.name}.{options.tag}", options.storage)
        model = building.build(spec_of(finished[0].model))
        weights_files.load_weights(model, store.WeightsFile(file))
        record = _measure(model, file, room, finished[0], options.storage)
        _check_storage(record, scores[0])
        record["seeds"] = _seeds(finished, scores, record["metrics"])
        record["urls"] = (
            [f"{options.url}/{cache.file_name(record['sha256'])}"] if options.url else []
        )
        entry = _with_record(room, options.tag, record, options.replace)
        _draw(model, file, options.tag)
        _put_in_place(Path(folder), room, entry)
    _publish(room, options)
    print(f"released {record['file']}: {record['metrics']} on {record['examples']:,} test examples")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--tag", default="v1")
    parser.add_argument(
        "--storage",
        choices=["float16", "float32"],
        default="float16",
        help="float32 where 16 bit would cost the claim (default: float16)",
    )
    parser.add_argument("--replace", metavar="REASON", help="why a tag gets other weights")
    parser.add_argument("--more-seeds", action="store_true", help="the weights stay as they are")
    parser.add_argument("--mirror", metavar="DIRECTORY", type=Path, help="lay the file out there")
    parser.add_argument("--url", help="where the mirror's folder will be served")
    parser.add_argument("--apart", action="store_true", help="the file lies in the mirror alone")
    options = parser.parse_args()
    if options.apart and not (options.mirror and options.url):
        parser.error("--apart wants --mirror and --url: or nobody could find the file")
    return options


def _claimed(scores: dict[str, Any]) -> dict[str, float]:
    """The metrics that an entry can claim, as it writes them."""
    return {name: float(f"{scores[name]:.6g}") for name in METRICS if name in scores}


def _recipes(run: runs.Run, room: registry.ModelPackage) -> dict[Path, str]:
    """The recipe files that made a run, each with the name of the room's own."""
    about = run_files.read_run(run.path)
    if about["task"] == room.entry.pretraining:
        return {run.path / "recipe.toml": registry.PRETRAINING}
    found = {run.path / "recipe.toml": registry.RECIPE}
    if about["start"] == "pretraining":
        found[run.path / "pretraining" / "recipe.toml"] = registry.PRETRAINING
    elif run_files.is_model_path(about["start"]):
        found[Path(about["start"]) / "recipe.toml"] = registry.PRETRAINING
    elif about["start"] not in ("random", room.entry.init_from):
        # Released weights; `verify` compares their recipe.
        found[room.path / registry.PRETRAINING] = registry.PRETRAINING
    return found


def _check_same_recipes(finished: list[runs.Run], room: registry.ModelPackage) -> None:
    for run in finished:
        start = run_files.read_run(run.path)["start"]
        if room.entry.init_from is not None and start != room.entry.init_from:
            raise RunError(f"{run.path} started from {start}, not from {room.entry.init_from}")
        for file, name in _recipes(run, room).items():
            if recipe.load_recipe(file) != recipe.load_recipe(room.path / name):
                raise RunError(f"{file} is not {room.path / name}, which it is to be the run of")


def _check_logs(run: runs.Run) -> None:
    """Refuses points that TensorBoard would not show: it looks only where event files are."""
    for config in (run.path / "logs").rglob("projector_config.pbtxt"):
        if not any(config.parent.glob("events.out.tfevents.*")):
            raise RunError(
                f"TensorBoard would show nothing of {config}, for no event file is beside it; move "
                f"what is there to {run.path / 'logs' / 'train'}"
            )


def _store(run: runs.Run, folder: Path, name: str, storage: Storage) -> Path:
    file = folder / f"{name}{store.SUFFIX}"
    weights_files.save_weights(run.model, file, storage)
    shutil.copy(run.path / "history.csv", folder / f"{name}.history.csv")
    shutil.copytree(run.path / "logs", folder / f"{name}.logs")
    return file


def _check_storage(record: dict[str, Any], trained: dict[str, Any]) -> None:
    """Refuses a file that measures otherwise than the weights that were trained."""
    for name, stored in record["metrics"].items():
        if not METRICS[name].same(trained[name], stored, record["num_examples"]):
            raise RunError(
                f"{METRICS[name].title} is {METRICS[name].write(trained[name])} as trained and "
                f"{METRICS[name].write(stored)} as stored in {record['storage']}; "
                "release it with --storage float32"
            )


def _seeds(
    finished: list[runs.Run], scores: list[dict[str, Any]], metrics: dict[str, float]
) -> dict[str, Any]:
    about = [run_files.read_run(run.path) for run in finished]
    return {
        "seeds": [each["seed"] for each in about],
        "minutes": [round(run.minutes, 1) for run in finished],
        "hardware": [each["environment"]["hardware"] for each in about],
        "metrics": {name: [_claimed(score)[name] for score in scores] for name in metrics},
    }


def _with_seeds(
    room: registry.ModelPackage, tag: str, finished: list[runs.Run], scores: list[dict[str, Any]]
) -> str:
    """The text of the room's entry with further seeds of released weights.

    Raises:
        RunError: the runs are by another recipe than the weights, or of a seed that is there.
    """
    record = room.entry.weights_of(tag)
    for run in finished:
        own, *_ = _recipes(run, room).values()
        if own != record.recipe or recipe.fingerprint(room.path / own) != record.recipe_sha256:
            raise RunError(f"{run.path} is by another recipe than {room.name}.{tag}")
    added = _seeds(finished, scores, record.metrics)
    seeds = [*record.seeds.seeds, *added["seeds"]]
    if len(set(seeds)) < len(seeds):
        raise RunError(f"{room.name}.{tag} would have a seed twice: {seeds}")
    document = tomlkit.parse((room.path / "entry.toml").read_text("utf-8"))
    table = document["weights"][tag]["seeds"]
    table["seeds"].extend(added["seeds"])
    table["minutes"].extend(added["minutes"])
    table["hardware"] = [*record.hardware, *added["hardware"]]
    for name, values in added["metrics"].items():
        table["metrics"][name].extend(values)
    return tomlkit.dumps(document)


def _draw(model: keras.Model, file: Path, tag: str) -> None:
    """Writes the card's pictures beside the weights, where the task has some."""
    for name, picture in task_of(model).summaries.card_images(model).items():
        image = Image.fromarray(picture.squeeze())
        image.save(file.with_name(f"{model.name}.{tag}.{name}.png"), optimize=True)


def _measure(
    model: keras.Model, file: Path, room: registry.ModelPackage, run: runs.Run, storage: Storage
) -> dict[str, Any]:
    score = evaluation.evaluate(model)
    sample = evaluation.evaluate(model, split=datasets.SAMPLE)
    own, *first = _recipes(run, room).values()
    start = room.entry.init_from
    environment = run_files.read_run(run.path)["environment"]
    return {
        "file": f"weights/{file.name}",
        "bytes": file.stat().st_size,
        "sha256": store.sha256_of(file),
        "storage": storage,
        "parameters": model.count_params(),
        "flops": flops.count_flops(model),
        "dataset": room.entry.dataset,
        "split": "test",
        "examples": score["num_examples"],
        "metrics": _claimed(score),
        "sample": _claimed(sample),
        "licence": LICENCE,
        "recipe": own,
        "recipe_sha256": recipe.fingerprint(room.path / own),
        **({"task": spec_of(model).task} if own == registry.PRETRAINING else {}),
        **({"pretraining_sha256": recipe.fingerprint(room.path / first[0])} if first else {}),
        **({"start_sha256": registry.weights_of(start).sha256} if start else {}),
        "maker": {
            "keras": environment["keras"],
            "backend": environment["backend"],
            "precision": environment["precision"],
            "hardware": environment["hardware"],
            "minutes": round(run.minutes, 1),
        },
    }


def _with_record(
    room: registry.ModelPackage, tag: str, record: dict[str, Any], reason: str | None
) -> str:
    """The text of the room's entry with the record in it.

    Raises:
        RunError: the tag has other weights, and nobody said why they go.
    """
    text = (room.path / "entry.toml").read_text("utf-8")
    document = tomlkit.parse(text)
    if "default_weights" not in document and "task" not in record:
        # Before the first table, or it would belong to it.
        lines = text.splitlines(keepends=True)
        first_table = next(i for i, line in enumerate(lines) if line.startswith("["))
        lines.insert(first_table, f'default_weights = "{tag}"\n\n')
        document = tomlkit.parse("".join(lines))
    old = document.get("weights", {}).get(tag)
    if old is not None and old["sha256"] != record["sha256"]:
        if not reason:
            raise RunError(
                f"{room.name}.{tag} is released already, with other weights: choose another "
                "--tag, or say with --replace why nobody needs them any more"
            )
        document.setdefault("withdrawn", tomlkit.table())[old["sha256"]] = reason
    table = tomlkit.table()
    table.update(json.loads(json.dumps(record)))
    document.setdefault("weights", tomlkit.table(is_super_table=True))[tag] = table
    return tomlkit.dumps(document)


def _put_in_place(folder: Path, room: registry.ModelPackage, entry: str) -> None:
    def put() -> None:
        for path in folder.iterdir():
            target = room.path / "weights" / path.name
            if target.is_dir():
                shutil.rmtree(target)  # or TensorBoard would show two runs as one
            path.replace(target)

    _write_entry(room, entry, put)


def _write_entry(
    room: registry.ModelPackage, entry: str, before: Callable[[], None] | None = None
) -> None:
    """Writes the room's entry, once it is checked, and `before` is done."""
    draft = room.path / ".entry.toml.draft"
    try:
        draft.write_text(entry, "utf-8")
        load_entry(draft)  # what a user would be told, the maintainer is told
        if before is not None:
            before()
        draft.replace(room.path / "entry.toml")
    finally:
        draft.unlink(missing_ok=True)


def _publish(room: registry.ModelPackage, options: argparse.Namespace) -> None:
    """Checks what lies in the room now, and lays it out in the mirror."""
    packages.cache_clear()
    fresh, _ = registry.find(room.name)
    shipped = store.find_weights(fresh, options.tag).path
    if options.mirror:
        mirror_weights.lay_out(options.mirror, [f"{room.name}.{options.tag}"])
    if options.apart:
        shipped.unlink()


if __name__ == "__main__":
    try:
        main()
    except KerasFmError as error:
        raise SystemExit(f"release_weights: {error}") from None
