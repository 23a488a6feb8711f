"""Measures predictions by local Ray Data or local Spark: seconds, and the peak memory of a worker.

    python -m pip install --target /tmp/engines --no-deps "ray>=2.40" msgpack jsonschema \
        jsonschema-specifications referencing rpds-py attrs "pyspark>=3.5" py4j
    PYTHONPATH=/tmp/engines python tools/benchmark_scoring.py ray mlp
    PYTHONPATH=/tmp/engines python tools/benchmark_scoring.py spark lstm

A model of tables predicts for 100,000 rows of `diamonds` (repeated, every thousandth one with a
carat that is no number), one of texts for 10,000 reviews; `TFDS_DATA_DIR` says where they lie.
Rows come from Parquet files and go to Parquet files, which are checked: each row once, an error in
each bad one. Seconds are those from the first row to the last file, with the loading of the model
in each worker.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import parquet

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.scoring import BatchPredictor, predict_spark

NUM_FILES = 20
BAD_EVERY = 1000
PEAK_MEMORY = "peak_memory"  # a column, in kilobytes


def main() -> None:
    """Print a line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("engine", choices=["ray", "spark"])
    parser.add_argument("model", help="of tables and diamonds, or of reviews")
    parser.add_argument("--rows", type=int, help="(default: 100,000, of texts 10,000)")
    parser.add_argument("--workers", type=int, default=1, help="(default: 1)")
    parser.add_argument("--batch", type=int, default=2000, help="rows of a batch (default: 2000)")
    options = parser.parse_args()
    is_table = registry.info(options.model).task.startswith("tabular")
    count = options.rows or (100_000 if is_table else 10_000)
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "rows"), Path(folder, "predictions")
        source.mkdir()
        bad = _write_rows(options.model, source, count, is_table)
        column = None if is_table else "text"
        score = _score_by_ray if options.engine == "ray" else _score_by_spark
        seconds = score(source, out, options, column)
        result = parquet.read_table(out).to_pandas().sort_values("id")
    _check(result, count, bad)
    print(
        f"{options.engine}, {options.model}, {options.workers} worker: {count:,} rows in "
        f"{seconds:.0f} s, {len(bad):,} of them bad; peak memory of a worker "
        f"{result[PEAK_MEMORY].max() / 1024:,.0f} MB, at its first rows "
        f"{result[PEAK_MEMORY].min() / 1024:,.0f} MB"
    )


def _write_rows(model: str, folder: Path, count: int, is_table: bool) -> list[int]:
    """Write the rows, and return the IDs of the bad ones."""
    # All of diamonds is one split.
    inputs = datasets.load(registry.info(model).dataset, "train" if is_table else "test").inputs
    frame = pd.DataFrame(inputs if is_table else {"text": inputs})
    frame = frame.iloc[np.arange(count) % len(frame)].reset_index(drop=True)
    bad = [*range(0, count, BAD_EVERY)]
    if is_table:
        frame["carat"] = frame["carat"].astype(str)
        frame.loc[bad, "carat"] = "heavy"
    else:
        frame.loc[bad, "text"] = None
    frame = frame.assign(id=range(count))
    size = -(-count // NUM_FILES)
    for start in range(0, count, size):
        frame[start : start + size].to_parquet(folder / f"{start:08}.parquet", index=False)
    return bad


def _add_peak_memory(table: Any) -> Any:
    import pyarrow as pa

    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    return table.append_column(PEAK_MEMORY, pa.array([kilobytes] * len(table), pa.int64()))


class _MeasuredPredictor(BatchPredictor):
    def __call__(self, batch: Any) -> Any:
        return _add_peak_memory(super().__call__(batch))


def _score_by_ray(source: Path, out: Path, options: Any, column: str | None) -> float:
    import ray
    import ray.data

    ray.init(
        num_cpus=options.workers + 1,  # one for the tasks that read and write
        include_dashboard=False,
        object_store_memory=200 * 2**20,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}},
    )
    start = time.perf_counter()
    ray.data.read_parquet(str(source)).map_batches(
        _MeasuredPredictor,
        fn_constructor_args=[options.model, column],
        batch_format="pyarrow",
        batch_size=options.batch,
        concurrency=options.workers,
    ).write_parquet(str(out))
    seconds = time.perf_counter() - start
    ray.shutdown()
    return seconds


def _score_by_spark(source: Path, out: Path, options: Any, column: str | None) -> float:
    from pyspark import cloudpickle
    from pyspark.sql import SparkSession

    from keras_fm.scoring.spark import predict_batches

    def predict(batches: Any) -> Any:
        for batch in predict_batches(batches, options.model, column):
            yield _add_peak_memory(batch)

    # The workers can't import this script.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    session = (
        SparkSession.builder.master(f"local[{options.workers},4]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "1g")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", options.batch)
        .getOrCreate()
    )
    rows = session.read.parquet(str(source))
    start = time.perf_counter()
    schema = predict_spark(rows, options.model, column).schema.add(PEAK_MEMORY, "long")
    rows.mapInArrow(predict, schema).write.parquet(str(out))
    seconds = time.perf_counter() - start
    session.stop()
    return seconds


def _check(result: pd.DataFrame, count: int, bad: list[int]) -> None:
    """Fail where a row is missing or there twice, or where others than the bad have an error."""
    if result["id"].tolist() != [*range(count)]:
        sys.exit(f"expected each of {count:,} rows once; received {len(result):,}")
    received = result.loc[result["error"].notna(), "id"].tolist()
    if received != bad:
        sys.exit(f"expected errors in {len(bad):,} rows; received them in {len(received):,}")
    outputs = result["prediction" if "prediction" in result else "label"]
    if outputs.isna().sum() != len(bad):
        sys.exit(f"{outputs.isna().sum():,} rows have no prediction; expected {len(bad):,}")


if __name__ == "__main__":
    main()
