"""Predictions by local Ray Data and local Spark: one model a worker, bad rows, killed workers.

    python -m pip install --target /tmp/engines --no-deps "ray>=2.40" msgpack jsonschema \
        jsonschema-specifications referencing rpds-py attrs "pyspark>=3.5" py4j
    PYTHONPATH=/tmp/engines python -m pytest -m by_hand tests/scoring

Spark needs Java 17 or later.
"""

import os
import re
import shutil
import signal
import sys
from pathlib import Path

import helpers
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from keras_fm import pipelines
from keras_fm.data import datasets
from keras_fm.scoring import BatchPredictor, predict_spark
from keras_fm.scoring.spark import predict_batches

pytestmark = [
    pytest.mark.by_hand,
    # Of the engines' own.
    pytest.mark.filterwarnings("default"),
]

NUM_ROWS, NUM_FILES = 4000, 4
BAD_ROWS = range(0, NUM_ROWS, 400)
FATAL_ROW = 2500  # in the third file


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A folder of Parquet files with diamonds; some carats are no numbers."""
    folder = tmp_path_factory.mktemp("scoring") / "rows"
    folder.mkdir()
    sample = pd.DataFrame(datasets.sample("diamonds").inputs)
    frame = sample.iloc[np.arange(NUM_ROWS) % len(sample)].reset_index(drop=True)
    frame = frame.assign(id=range(NUM_ROWS), carat=frame["carat"].astype(str))
    frame.loc[[*BAD_ROWS], "carat"] = "heavy"
    size = NUM_ROWS // NUM_FILES
    for start in range(0, NUM_ROWS, size):
        frame[start : start + size].to_parquet(folder / f"{start:05}.parquet")
    return folder


@pytest.fixture(scope="module")
def expected(rows):
    """The predictions of the readable rows, NaN for the others."""
    frame = pd.read_parquet(rows).sort_values("id")
    is_readable = ~frame["id"].isin(BAD_ROWS)
    values = np.full(NUM_ROWS, np.nan)
    predictions = pipelines.pipeline("linear_regression")(frame[is_readable])
    values[is_readable] = [x["value"] for x in predictions]
    return values


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    # Workers see the same packages; a short path, for the names of sockets have a limit.
    variables = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ray.init(
        num_cpus=3,  # one beside the two workers: for the tasks that read and write
        include_dashboard=False,
        object_store_memory=200 * 2**20,
        runtime_env={"env_vars": variables},
        log_to_driver=False,
    )
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def spark():
    sql = pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    # `local[2,4]`: two threads, and a task may fail three times, as on a cluster.
    builder = sql.SparkSession.builder.master("local[2,4]").config("spark.ui.enabled", "false")
    session = (
        builder.config("spark.driver.memory", "1g")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", 500)
        .getOrCreate()
    )
    yield session
    session.stop()


def check(folder, expected):
    """Compare the files that an engine wrote with what the model predicts here."""
    result = parquet.read_table(folder).to_pandas().sort_values("id")
    assert result["id"].tolist() == [*range(NUM_ROWS)]  # none is missing, none is there twice
    np.testing.assert_allclose(result["prediction"], expected, rtol=1e-5)
    errors = result["error"].dropna()
    assert [*result.loc[errors.index, "id"]] == [*BAD_ROWS]
    assert errors.str.contains("received 'heavy'").all()


class FragilePredictor(BatchPredictor):
    """Is killed at a row, once; writes down which processes loaded a model."""

    def __init__(self, model, folder, fatal_row=None):
        super().__init__(model)
        self.folder, self.fatal_row = Path(folder), fatal_row
        (self.folder / f"loaded_{os.getpid()}").touch()

    def __call__(self, batch):
        die_once(batch, self.folder, self.fatal_row)
        return super().__call__(batch)


def die_once(batch, folder, row):
    if row is not None and row in batch["id"].to_pylist() and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("fatal_row", [None, FATAL_ROW])
def test_ray_predicts_each_row_once(ray, rows, expected, tmp_path, fatal_row):
    # By value: the workers don't have the folder of the tests.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.data.read_parquet(str(rows)).map_batches(
        FragilePredictor,
        fn_constructor_args=["linear_regression", tmp_path, fatal_row],
        batch_format="pyarrow",
        batch_size=500,
        concurrency=2,
    ).write_parquet(str(tmp_path / "predictions"))
    check(tmp_path / "predictions", expected)
    loads = [*tmp_path.glob("loaded_*")]
    assert (tmp_path / "died").exists() == (fatal_row is not None)
    assert len(loads) <= 2 + (fatal_row is not None)


def test_spark_predicts_each_row_once(spark, rows, expected, tmp_path):
    from pyspark.sql import functions

    # A column that can't be null stays one.
    frame = spark.read.parquet(str(rows)).withColumn("source", functions.lit("diamonds"))
    result = predict_spark(frame, "linear_regression")
    assert not result.schema["source"].nullable
    assert result.dtypes[-2:] == [("prediction", "float"), ("error", "string")]
    result.write.parquet(str(tmp_path / "predictions"))
    check(tmp_path / "predictions", expected)


def test_spark_restarts_a_killed_worker_without_double_rows(spark, rows, expected, tmp_path):
    def predict(batches):
        def fragile_batches():
            for batch in batches:
                die_once(batch, tmp_path, FATAL_ROW)
                yield batch

        (tmp_path / f"task_{os.getpid()}").touch()
        yield from predict_batches(fragile_batches(), "linear_regression")

    cloudpickle = pytest.importorskip("pyspark.cloudpickle")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    frame = spark.read.parquet(str(rows))
    schema = predict_spark(frame, "linear_regression").schema
    frame.mapInArrow(predict, schema).write.parquet(str(tmp_path / "predictions"))
    check(tmp_path / "predictions", expected)
    assert (tmp_path / "died").exists()


def test_spark_loads_a_model_once_a_worker(spark, rows, tmp_path):
    def predict(batches):
        from keras_fm.scoring import spark

        yield from predict_batches(batches, "linear_regression")
        count = spark._load.cache_info().misses
        (tmp_path / f"{os.getpid()}_{count}").touch()

    frame = spark.read.parquet(str(rows)).repartition(12)
    schema = predict_spark(frame, "linear_regression").schema
    assert frame.mapInArrow(predict, schema).count() == NUM_ROWS
    workers = [file.name.split("_") for file in tmp_path.iterdir()]
    assert {count for _, count in workers} == {"1"}
    assert len(workers) <= 2


def test_spark_names_a_missing_column_before_it_starts(spark, rows):
    from keras_fm.errors import DataError

    frame = spark.read.parquet(str(rows)).drop("carat")
    with pytest.raises(DataError, match="the table has no column 'carat'"):
        predict_spark(frame, "linear_regression")


def test_the_python_of_the_page_runs(ray, spark, rows, tmp_path, monkeypatch):
    page = (helpers.ROOT / "docs" / "scoring.md").read_text("utf-8")
    blocks = re.findall(r"```py\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    shutil.copytree(rows, "diamonds")
    from keras_fm.exporting.saved_model import export

    export("linear_regression", "exports/mlp")
    for code in blocks:
        exec(compile(code, "scoring.md", "exec"), {"__name__": "__main__"})
        result = parquet.read_table(tmp_path / "prices")
        assert len(result) == NUM_ROWS
        assert pa.types.is_float32(result.schema.field("prediction").type)
        shutil.rmtree(tmp_path / "prices")
