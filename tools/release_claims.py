"""Measures what the entries of released classifiers claim beside their metrics, and writes it.

    TFDS_DATA_DIR=... python tools/release_claims.py MODEL [MODEL ...]
        [--claims calibration slices robustness] [--coverage 0.9] [--against DATA ...]
        [--corrupted 1000]

`keras-fm verify` measures it again. Nothing is trained, and the weights stay as they are. Writes
into `entry.toml`, each as soon as it is measured:
- `[weights.<tag>.slices]`: the accuracy on slices of the test split.
- `[weights.<tag>.calibration]`, and `zoo/<model>/calibration.<tag>.json`: fitted on the examples
  that the recipe held out of the training split, measured on the test split. `--against` names
  other data of `evaluate`'s `out_of_distribution`, such as `noise`.
- `[weights.<tag>.robustness]`: the accuracy on the first `--corrupted` test examples, at all
  severities of each corruption: as many predictions as 41 times (images) or 16 times (texts) these.
"""

import argparse
from collections.abc import Mapping
from typing import Any

import keras
import msgspec
import tomlkit

from keras_fm import registry, store
from keras_fm.calibration.arguments import check_classifier
from keras_fm.calibration.calibration import save_calibration
from keras_fm.data.examples import Examples
from keras_fm.errors import KerasFmError
from keras_fm.evaluation import calibrating, robustness, slice_claims
from keras_fm.evaluation.arguments import corrupted_group
from keras_fm.evaluation.calibration_metrics import calibration_metrics
from keras_fm.evaluation.corruptions.names import CORRUPTIONS
from keras_fm.evaluation.out_of_distribution import load_others
from keras_fm.evaluation.slices import sliced_metrics
from keras_fm.models import loading
from keras_fm.registry.entry import load_entry
from keras_fm.registry.metrics import CALIBRATION_METRICS
from keras_fm.tasks.base import Task, task_of

CLAIMS = ("slices", "calibration", "robustness")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--claims", nargs="+", default=CLAIMS, choices=CLAIMS)
    parser.add_argument("--coverage", type=float, default=0.9)
    parser.add_argument("--against", nargs="*", default=[], metavar="DATA")
    parser.add_argument("--corrupted", type=int, default=1000, metavar="EXAMPLES")
    options = parser.parse_args()
    for name in options.models:
        release(name, options.claims, options.coverage, options.against, options.corrupted)


def release(
    name: str,
    claims: list[str],
    coverage: float = 0.9,
    against: list[str] | None = None,
    corrupted: int = 1000,
) -> None:
    """Measure the claims of one model, and write them into its entry."""
    package, tag = registry.find(name)
    check_classifier(package.name, package.entry.task)
    tag = tag or package.entry.default_weights
    model = calibrating.without_calibration(loading.get(name))
    task: Task = task_of(model)
    examples = task.data.load(package.entry.weights_of(tag).split)
    needs_outputs = {"slices", "calibration"} & {*claims}
    outputs = task.objective.outputs(model, examples) if needs_outputs else None
    if "slices" in claims:
        by = [*task.objective.slices]
        sliced = slice_claims.slices_to_claim(sliced_metrics(task, examples, outputs, by))
        write_claims(package, tag, "slices", sliced)
    if "calibration" in claims:
        record = _calibrate(name, model, examples, outputs, coverage, against or [])
        write_claims(package, tag, "calibration", record)
    if "robustness" in claims:
        first = robustness.first_examples(examples, corrupted)
        corruptions = CORRUPTIONS[str(corrupted_group(task.spec.task_name))]
        measured = robustness.measure_robustness(model, first, corruptions)
        write_claims(package, tag, "robustness", msgspec.to_builtins(measured))


def _calibrate(
    name: str,
    model: keras.Model,
    examples: Examples,
    outputs: Any,
    coverage: float,
    against: list[str],
) -> dict[str, Any]:
    package, tag = registry.find(name)
    held_out = calibrating.held_out_examples(task_of(model), name, None)
    calibration = calibrating.calibrate(model, held_out, coverage)
    print(f"{name}: {calibration}")
    others = load_others(model, examples, tuple(against))
    measured = calibration_metrics(model, calibration, examples, outputs, others)
    file = package.path / f"calibration.{tag or package.entry.default_weights}.json"
    save_calibration(calibration, file)
    values = measured["calibration"]
    record = {
        "file": file.name,
        "sha256": store.sha256_of(file),
        "metrics": {key: values[key] for key in CALIBRATION_METRICS if key in values},
    }
    auroc = {key: value["auroc"] for key, value in measured.get("out_of_distribution", {}).items()}
    return {**record, "auroc": auroc} if auroc else record


def write_claims(
    package: registry.ModelPackage, tag: str, name: str, claims: Mapping[str, Any]
) -> None:
    """Write one table of claims into a package's entry, once it is checked."""
    print(f"{package.name}.{tag}: {name} {claims}", flush=True)
    path = package.path / "entry.toml"
    document = tomlkit.parse(path.read_text("utf-8"))
    document["weights"][tag][name] = _to_table(claims)
    draft = package.path / ".entry.toml.draft"
    try:
        draft.write_text(tomlkit.dumps(document), "utf-8")
        load_entry(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _to_table(claims: Mapping[str, Any]) -> Any:
    table = tomlkit.table()
    for name, value in claims.items():
        if isinstance(value, Mapping):
            table[name] = _to_table(value)
        elif isinstance(value, list):
            table[name] = [_rounded(number) for number in value]
        else:
            table[name] = _rounded(value)
    return table


def _rounded(value: Any) -> Any:
    """Return a number with as many digits as a comparison needs."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


if __name__ == "__main__":
    try:
        main()
    except KerasFmError as error:
        raise SystemExit(f"release_claims: {error}") from None
