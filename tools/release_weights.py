"""Releases a finished run as weights of its model: the file, its record, its curves.

    TFDS_DATA_DIR=... python tools/release_weights.py RUN [RUN ...] [--tag v1] [--mirror DIRECTORY]
    TFDS_DATA_DIR=... python tools/release_weights.py RUN [RUN ...] [--tag v1] --more-seeds

The runs are the same recipe from several seeds: a file in the model's folder, `recipe.toml` or
another one. The weights of the first are released; their
metrics are measured on the stored file and the full test split, and have to agree with those of the
trained weights. The other runs add to mean and standard deviation. Writes `zoo/<model>/weights/`,
the images of the card included, and `[weights.<tag>]` into `entry.toml`, all or nothing. The
pretraining of a run, `RUN/pretraining`, is released in the same way, under another tag.

With `--more-seeds` the runs are further seeds of released weights, whose file stays.

Other weights under a released tag need `--replace` with the reason, which the entry keeps. With
`--mirror`, the file is copied into a folder for any static host, as `mirror_weights.py` does;
`--url` is the address of that folder, and `--apart` leaves the file out of the package.
"""

import argparse
import contextlib
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
from keras_fm.errors import KerasFmError, RunError, SchemaError
from keras_fm.evaluation import evaluation, flops
from keras_fm.models import building, run_files
from keras_fm.models import weights as weights_files
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.registry import recipe
from keras_fm.registry.entry import load_entry
from keras_fm.registry.metrics import METRICS
from keras_fm.store import cache
from keras_fm.tasks.base import task_of
from keras_fm.training import runs
from keras_fm.training.history_logs import write_history_logs

LICENSE = "Apache-2.0"
Storage = Literal["float16", "float32"]


def main() -> None:
    options = _options()
    finished = [runs.load_run(path) for path in options.runs]
    package, _ = registry.find(spec_of(finished[0].model).name)
    _check_same_recipes(finished, package)
    write_history_logs(finished[0].path)  # a run that was trained without TensorFlow has none
    _check_logs(finished[0])

    scores = [evaluation.evaluate(run.model) for run in finished]
    for run, score in zip(finished, scores, strict=True):
        print(f"{run.path}: {_claimed(score)}")
    if options.more_seeds:
        _write_entry(package, _with_seeds(package, options.tag, finished, scores))
        print(f"{package.name}.{options.tag} has {len(finished)} more seeds")
        return
    (package.path / "weights").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=package.path / "weights", prefix=".draft-") as folder:
        file = _store(finished[0], Path(folder), f"{package.name}.{options.tag}", options.storage)
        model = building.build(spec_of(finished[0].model))
        weights_files.load_weights(model, store.WeightsFile(file))
        record = _measure(model, file, package, finished[0], options.storage)
        _check_storage(record, scores[0])
        record["seeds"] = _seeds(finished, scores, record["metrics"])
        record["urls"] = (
            [f"{options.url}/{cache.file_name(record['sha256'])}"] if options.url else []
        )
        entry = _with_record(package, options.tag, record, options.replace)
        _write_card_images(model, file, options.tag)
        _put_in_place(Path(folder), package, entry)
    _publish(package, options)
    count = record["num_examples"]
    print(f"released {record['file']}: {record['metrics']} on {count:,} test examples")


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
    """Return the metrics that an entry can claim, as it writes them."""
    return {name: float(f"{scores[name]:.6g}") for name in METRICS if name in scores}


def _recipes(run: runs.Run, package: registry.ModelPackage) -> dict[Path, str]:
    """Return the recipe files of a run, each with the name of the package's."""
    run_info = run_files.read_run(run.path)
    if run_info["task"] == package.entry.pretraining:
        return {run.path / "recipe.toml": registry.PRETRAINING}
    recipes = {run.path / "recipe.toml": _recipe_name(run, package)}
    if run_info["init_from"] == "pretraining":
        recipes[run.path / "pretraining" / "recipe.toml"] = registry.PRETRAINING
    elif run_files.is_model_path(run_info["init_from"]):
        recipes[Path(run_info["init_from"]) / "recipe.toml"] = registry.PRETRAINING
    elif run_info["init_from"] not in ("random", package.entry.init_from):
        # Released weights; `verify` compares their recipe.
        recipes[package.path / registry.PRETRAINING] = registry.PRETRAINING
    return recipes


def _recipe_name(run: runs.Run, package: registry.ModelPackage) -> str:
    """Return the name of the package's recipe with the run's values; else of its default one."""
    trained_by = _load_recipe(run.path / "recipe.toml", package, registry.RECIPE)
    others = {registry.PRETRAINING, "entry.toml"}
    for file in sorted(package.path.glob("*.toml")):
        with contextlib.suppress(SchemaError):  # one of a fine-tuning
            if file.name not in others and trained_by == _load_recipe(file, package, file.name):
                return file.name
    return registry.RECIPE


def _load_recipe(file: Path, package: registry.ModelPackage, name: str) -> recipe.Recipe:
    """Load a recipe of the task that the package's recipe of this name is for."""
    is_pretraining = name == registry.PRETRAINING
    spec = ModelSpec.of_pretraining(package) if is_pretraining else ModelSpec.of(package)
    return recipe.load_recipe(file, spec.task.recipe_class)


def _check_same_recipes(finished: list[runs.Run], package: registry.ModelPackage) -> None:
    for run in finished:
        init_from = run_files.read_run(run.path)["init_from"]
        if package.entry.init_from not in (None, init_from):
            raise RunError(
                f"{run.path} was initialized from {init_from}, not from {package.entry.init_from}"
            )
        for file, name in _recipes(run, package).items():
            if _load_recipe(file, package, name) != _load_recipe(
                package.path / name, package, name
            ):
                raise RunError(f"{file} differs from {package.path / name}")


def _check_logs(run: runs.Run) -> None:
    """Check that TensorBoard shows the embeddings: it looks only where event files are.

    The logs ship, so they must name no folder of this machine either.
    """
    paths = {folder.resolve() for folder in (run.path.parent, Path.home(), Path.cwd())}
    folders = [str(path).encode() for path in paths if path != path.parent]  # the root is in all
    for file in (run.path / "logs").rglob("*"):
        if file.is_file() and any(folder in file.read_bytes() for folder in folders):
            raise RunError(f"{file} names a folder of this machine, which would ship: train again")
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
    """Check that the stored weights have the metrics of the trained ones."""
    for name, stored in record["metrics"].items():
        if not METRICS[name].agrees(trained[name], stored, record["num_examples"]):
            raise RunError(
                f"{METRICS[name].title} is {METRICS[name].format(trained[name])} as trained and "
                f"{METRICS[name].format(stored)} as stored in {record['storage']}; "
                "release it with --storage float32"
            )


def _seeds(
    finished: list[runs.Run], scores: list[dict[str, Any]], metrics: dict[str, float]
) -> dict[str, Any]:
    run_infos = [run_files.read_run(run.path) for run in finished]
    return {
        "seeds": [run_info["seed"] for run_info in run_infos],
        "minutes": [round(run.minutes, 1) for run in finished],
        "hardware": [run_info["environment"]["hardware"] for run_info in run_infos],
        "metrics": {name: [_claimed(score)[name] for score in scores] for name in metrics},
    }


def _with_seeds(
    package: registry.ModelPackage, tag: str, finished: list[runs.Run], scores: list[dict[str, Any]]
) -> str:
    """Return the text of the package's entry with further seeds of released weights.

    Raises:
        RunError: The runs have another recipe than the weights, or a seed that is there already.
    """
    record = package.entry.weights_of(tag)
    for run in finished:
        name, *_ = _recipes(run, package).values()
        if name != record.recipe or recipe.fingerprint(package.path / name) != record.recipe_sha256:
            raise RunError(f"{run.path} has another recipe than {package.name}.{tag}")
    added = _seeds(finished, scores, record.metrics)
    seeds = [*record.seeds.seeds, *added["seeds"]]
    if len(set(seeds)) < len(seeds):
        raise RunError(f"{package.name}.{tag} would have a seed twice: {seeds}")
    document = tomlkit.parse((package.path / "entry.toml").read_text("utf-8"))
    table = document["weights"][tag]["seeds"]
    table["seeds"].extend(added["seeds"])
    table["minutes"].extend(added["minutes"])
    table["hardware"] = [*record.hardware, *added["hardware"]]
    for name, values in added["metrics"].items():
        table["metrics"][name].extend(values)
    return tomlkit.dumps(document)


def _write_card_images(model: keras.Model, file: Path, tag: str) -> None:
    """Write the images of the card beside the weights, where the task has some."""
    for name, pixels in task_of(model).summaries.card_images(model).items():
        image = Image.fromarray(pixels.squeeze())
        image.save(file.with_name(f"{model.name}.{tag}.{name}.png"), optimize=True)


def _measure(
    model: keras.Model, file: Path, package: registry.ModelPackage, run: runs.Run, storage: Storage
) -> dict[str, Any]:
    score = evaluation.evaluate(model)
    sample = evaluation.evaluate(model, split=datasets.SAMPLE)
    name, *pretraining = _recipes(run, package).values()
    init_from = package.entry.init_from
    environment = run_files.read_run(run.path)["environment"]
    return {
        "file": f"weights/{file.name}",
        "file_size": file.stat().st_size,
        "sha256": store.sha256_of(file),
        "storage": storage,
        "num_parameters": model.count_params(),
        "flops": flops.count_flops(model),
        "dataset": package.entry.dataset,
        "split": "test",
        "num_examples": score["num_examples"],
        "metrics": _claimed(score),
        "sample_metrics": _claimed(sample),
        "license": LICENSE,
        "recipe": name,
        "recipe_sha256": recipe.fingerprint(package.path / name),
        **({"task": spec_of(model).task_name} if name == registry.PRETRAINING else {}),
        **(
            {"pretraining_sha256": recipe.fingerprint(package.path / pretraining[0])}
            if pretraining
            else {}
        ),
        **({"init_from_sha256": registry.weights_of(init_from).sha256} if init_from else {}),
        **_teacher(_load_recipe(package.path / name, package, name)),
        "training_environment": {
            "keras": environment["keras"],
            "backend": environment["backend"],
            "precision": environment["precision"],
            "hardware": environment["hardware"],
            "minutes": round(run.minutes, 1),
        },
    }


def _teacher(trained_by: recipe.Recipe) -> dict[str, str]:
    """Return the teacher of a recipe, with its tag, and the digest of its weights."""
    if not trained_by.teacher:
        return {}
    package, tag = registry.find(trained_by.teacher)
    name = f"{package.name}.{tag or package.entry.default_weights}"
    return {"teacher": name, "teacher_sha256": registry.weights_of(name).sha256}


def _with_record(
    package: registry.ModelPackage, tag: str, record: dict[str, Any], reason: str | None
) -> str:
    """Return the text of the package's entry with the record in it.

    Raises:
        RunError: The tag has other weights, and no reason was given to replace them.
    """
    text = (package.path / "entry.toml").read_text("utf-8")
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
                f"{package.name}.{tag} is released already, with other weights: choose another "
                "--tag, or give the reason with --replace"
            )
        document.setdefault("withdrawn", tomlkit.table())[old["sha256"]] = reason
    table = tomlkit.table()
    table.update(json.loads(json.dumps(record)))
    document.setdefault("weights", tomlkit.table(is_super_table=True))[tag] = table
    return tomlkit.dumps(document)


def _put_in_place(folder: Path, package: registry.ModelPackage, entry: str) -> None:
    def put() -> None:
        for path in folder.iterdir():
            target = package.path / "weights" / path.name
            if target.is_dir():
                shutil.rmtree(target)  # or TensorBoard would show two runs as one
            path.replace(target)

    _write_entry(package, entry, put)


def _write_entry(
    package: registry.ModelPackage, entry: str, before: Callable[[], None] | None = None
) -> None:
    """Write the package's entry, once it is checked and `before` is done."""
    draft = package.path / ".entry.toml.draft"
    try:
        draft.write_text(entry, "utf-8")
        load_entry(draft)
        if before is not None:
            before()
        draft.replace(package.path / "entry.toml")
    finally:
        draft.unlink(missing_ok=True)


def _publish(package: registry.ModelPackage, options: argparse.Namespace) -> None:
    """Check the released file, and copy it into the mirror."""
    registry.clear_cache()
    fresh, _ = registry.find(package.name)
    shipped = store.find_weights(fresh, options.tag).path
    if options.mirror:
        mirror_weights.lay_out(options.mirror, [f"{package.name}.{options.tag}"])
    if options.apart:
        shipped.unlink()


if __name__ == "__main__":
    try:
        main()
    except KerasFmError as error:
        raise SystemExit(f"release_weights: {error}") from None
