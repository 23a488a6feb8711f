"""What `info` prints of run directories and exports, from their own files, without Keras."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_fm.formatting import format_table
from keras_fm.models import export_files, run_files

Rows = list[tuple[str, str]]
_MAX_INPUTS = 30  # columns that are shown one by one


def run_info(path: Path) -> dict[str, Any]:
    """Return all that a run's files say of it, as `info --json` prints it.

    Raises:
        RunError: The run is of another version of keras_fm.
    """
    info = run_files.read_run(path)
    return info | ({"result": run_files.read_result(path)} if run_files.is_complete(path) else {})


def describe_run(path: Path) -> str:
    """Describe a run: what was trained on what, and how good it is.

    Raises:
        RunError: The run is of another version of keras_fm.
    """
    info = run_info(path)
    rows = [("task", info["task"]), ("trained on", info["data"])]
    rows += [("", note) for note in info["notes"]]
    rows += [
        ("initialized from", info["init_from"]),
        ("strategy", info.get("strategy", "")),
        ("seed", str(info["seed"])),
        *_model_rows(info),
    ]
    if "result" in info:
        rows += _result_rows(info["result"])
        rows += _calibration_rows(info["result"].get("calibration"))
    environment = info["environment"]
    environment |= {name: f"{name} {environment[name]}" for name in ("python", "keras")}
    rows.append(("environment", ", ".join(environment.values())))
    lines = [f"{path}: a run of {info['model']}", "", format_table(_present(rows))]
    if not run_files.is_complete(path):
        lines += ["", run_files.resume_hint(path, info)]
    return "\n".join(lines)


def export_info(path: Path) -> dict[str, Any]:
    """Return all that an export's files say of its highest version, as `info --json` prints it."""
    version = export_files.find_version(path)
    info = export_files.read_info(version)
    if info is None:
        return {"version": version.name}
    has_sketch = (version / export_files.SKETCH).is_file()
    return {"version": version.name, **info, "has_sketch": has_sketch}


def describe_export(path: Path) -> str:
    """Describe the highest version of an export: the model, its signatures, how it was made."""
    version = export_files.find_version(path)
    info = export_files.read_info(version)
    numbers = ", ".join(map(str, export_files.versions(path))) or version.name
    if info is None:
        return (
            f"{path}: a SavedModel that keras_fm did not write (versions: {numbers})\n\n"
            f"saved_model_cli show --dir {version} --all"
        )
    rows = [("task", info["task"]), ("versions", numbers), *_model_rows(info)]
    rows += [(f"signature {name}", text) for name, text in _signatures(info)]
    rows += [
        *_calibration_rows(info.get("calibration")),
        ("precision", info.get("precision", "")),
        ("optimized for", info.get("optimize_for", "")),
        ("weights sha256", info.get("weights_sha256", "")),
        ("deviation", _deviation(info.get("parity", {}))),
        ("sketch", _sketch(version)),
        ("exported from", info.get("exported_from", "")),
        ("exported at", info.get("exported_at", "")),
        ("written by", ", ".join(" ".join(pair) for pair in info.get("written_by", {}).items())),
    ]
    return "\n".join([f"{path}: an export of {info['model']}", "", format_table(_present(rows))])


def _model_rows(info: Mapping[str, Any]) -> Rows:
    """Return labels, inputs and target of a run or an export."""
    inputs = info["inputs"]
    rows = [("labels", ", ".join(info["labels"]))]
    rows += [
        (f"input {column['name']}", f"{column['dtype']}, {column['description']}")
        for column in inputs[:_MAX_INPUTS]
    ]
    if len(inputs) > _MAX_INPUTS:
        rows.append(("", f"and {len(inputs) - _MAX_INPUTS:,} more inputs"))
    if info["target"] is not None:
        rows.append((f"target {info['target']['name']}", info["target"]["description"]))
    return rows


def _calibration_rows(calibration: Mapping[str, Any] | None) -> Rows:
    """Return how a classifier was calibrated."""
    if not calibration:
        return []
    from keras_fm.calibration.calibration import Calibration

    return [("calibration", str(Calibration.from_dict(calibration)))]


def _result_rows(result: Mapping[str, Any]) -> Rows:
    methods = {"metrics": result["metrics"], "baseline": result["baseline"]}
    methods |= result.get("comparisons", {})
    rows = [(name, _format_metrics(metrics)) for name, metrics in methods.items()]
    return [*rows, ("minutes", f"{result['minutes']:.1f}")]


def _format_metrics(metrics: Mapping[str, float]) -> str:
    from keras_fm.registry.metrics import METRICS

    return ", ".join(
        f"{METRICS[name].title} {METRICS[name].format(value)}"
        if name in METRICS
        else f"{name} {value:.4f}"
        for name, value in metrics.items()
    )


def _signatures(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each signature with its inputs and outputs, of which an older export does not tell."""
    interface = info.get("interface", {})
    for name in info["signatures"]:
        tensors = interface.get(name, {})
        sides = [_tensors(tensors.get(side, {})) for side in ("inputs", "outputs")]
        yield name, " -> ".join(filter(None, sides)) or "README.md beside the versions shows it"


def _tensors(tensors: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {tensor['dtype']} {_shape(tensor['shape'])}" for name, tensor in tensors.items()
    )


def _shape(sizes: Sequence[int | None]) -> str:
    return f"[{', '.join('any' if size is None else str(size) for size in sizes)}]"


def _deviation(parity: Mapping[str, Any]) -> str:
    differences = [
        difference
        for signature in parity.values()
        for difference in signature["max_difference"].values()
    ]
    return f"at most {max(differences):.1e} from the model" if differences else ""


def _sketch(version: Path) -> str:
    """Say what the sketch of the training inputs is of; "" where there is none."""
    file = version / export_files.SKETCH
    if not file.is_file():
        return ""
    sketch = json.loads(file.read_text("utf-8"))
    num_features = len(sketch["features"])
    return f"{num_features} features of {sketch['source']}, for keras-fm drift"


def _present(rows: Rows) -> Rows:
    return [row for row in rows if row[1]]
