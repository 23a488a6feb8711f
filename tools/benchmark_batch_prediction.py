"""Measures `keras-fm predict MODEL rows.csv --out predictions.csv`: rows a second, peak memory.

    python tools/benchmark_batch_prediction.py mlp
    python tools/benchmark_batch_prediction.py linear_regression --rows 100000 --format parquet

The rows are those of `diamonds`, repeated; `TFDS_DATA_DIR` says where they lie. Another process
predicts, so that the memory is that of the command alone. Takes some minutes for a million rows.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.models.spec import ModelSpec


def main() -> None:
    """Print a line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="a model of tables whose data set is diamonds")
    parser.add_argument("--rows", type=int, default=1_000_000, help="(default: 1,000,000)")
    parser.add_argument("--format", default="csv", help="csv, jsonl, json or parquet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "rows.csv"), Path(folder, f"predictions.{options.format}")
        _write_rows(options.model, source, options.rows)
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "keras_fm", "predict", options.model, source, "--out", out],
            check=True,
        )
        seconds = time.perf_counter() - start
        size = out.stat().st_size
    kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # bytes on macOS
    print(
        f"{options.model}: {options.rows:,} rows in {seconds:.1f} s, "
        f"{options.rows / seconds:,.0f} rows a second with the start of the program; peak memory "
        f"{kilobytes / 1024:,.0f} MB; {size / 2**20:,.1f} MB written"
    )


def _write_rows(name: str, path: Path, count: int) -> None:
    """Write as many rows, the data set again and again."""
    entry = registry.info(name)
    examples = datasets.load(entry.dataset, "train")
    columns = [column.name for column in entry.inputs]
    package, _ = registry.find(name)
    inputs = ModelSpec.of(package).task.data.prepare_dataset(examples).inputs
    frame = pd.DataFrame({column: inputs[column] for column in columns})
    times, rest = divmod(count, len(frame))
    with path.open("w", encoding="utf-8", newline="") as stream:
        for number in range(times):
            frame.to_csv(stream, header=number == 0, index=False)
        frame.iloc[:rest].to_csv(stream, header=not times, index=False)


if __name__ == "__main__":
    main()
