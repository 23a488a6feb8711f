"""A table with dates, amounts and missing values: run, `.keras` file, export and server agree."""

import datetime
import re

import helpers
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import keras_fm
from keras_fm import cli, pipelines, registry
from keras_fm.data.augmentation import TabularBatches
from keras_fm.data.examples import Examples
from keras_fm.errors import DataWarning, InvalidInputError, ServerError
from keras_fm.evaluation import evaluation
from keras_fm.models import loading
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.preprocessing.tables.encoding import encode_columns
from keras_fm.registry.dates import Dates
from keras_fm.registry.entry import Input, Target

COUNT = 120
ROWS = [
    {"size": 1.5, "kind": "a", "sold": "31.05.2014", "seen": "2014-05-31T10:30:00+02:00",
     "opens": "10:30", "price": "$1,234.50", "share": "12 %", "lasts": "26:30:00"},
    {"size": None, "kind": "?", "sold": "", "seen": "n/a", "opens": "NaT", "price": "",
     "share": "-", "lasts": "?"},
    {"size": "?", "kind": None, "sold": None, "seen": None, "opens": None, "price": None,
     "share": None, "lasts": None},
    {"size": 0, "kind": "b", "sold": "2014-05-31", "seen": "31 May 2014 8:30 am UTC",
     "opens": "23:59:59", "price": "1234.5", "share": "12.0%", "lasts": "1 day 2h 30 min"},
]  # fmt: skip
# What Python, numpy and pandas have, and the same as strings.
VALUES = [
    ({"sold": datetime.date(2014, 5, 31)}, {"sold": "31/5/2014"}),
    ({"sold": datetime.datetime(2014, 5, 31, 10, 30)}, {"sold": "2014-05-31 10:30"}),
    ({"sold": pd.Timestamp("2014-05-31 10:30")}, {"sold": "2014-05-31 10:30"}),
    ({"sold": np.datetime64("2014-05-31")}, {"sold": "2014-05-31"}),
    ({"sold": pd.NaT}, {"sold": ""}),
    ({"seen": pd.Timestamp("2014-05-31 10:30", tz="Europe/Berlin")},
     {"seen": "2014-05-31 08:30Z"}),
    ({"opens": datetime.time(10, 30)}, {"opens": "10:30"}),
    ({"price": 1234.5}, {"price": "$1,234.50"}),
    ({"share": 12}, {"share": "12 %"}),
    ({"lasts": datetime.timedelta(days=1, hours=2)}, {"lasts": "26 h"}),
    ({"lasts": pd.Timedelta("1 day 2 h")}, {"lasts": "26 h"}),
    ({"lasts": np.timedelta64(26, "h")}, {"lasts": "26 h"}),
]  # fmt: skip
UNREADABLE = {
    "sold": "05/31/2014",
    "seen": "10:30",
    "opens": "2014-05-31",
    "price": "€5",
    "share": "a half",
    "lasts": "3 months",
}


def table():
    random = np.random.default_rng(0)
    days = pd.Series(pd.date_range("2014-05-02", "2015-07-01", periods=COUNT))
    prices, shares = random.uniform(100, 5000, COUNT), random.uniform(0, 90, COUNT)
    frame = pd.DataFrame(
        {
            "id": random.permutation(COUNT * 3)[:COUNT],
            "size": random.normal(size=COUNT),
            "kind": random.choice([*"ab"], COUNT),
            "sold": days.dt.strftime("%d.%m.%Y"),
            "seen": days.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "opens": days.dt.strftime("%H:%M"),
            "price": [f"${price:,.2f}" for price in prices],
            "share": [f"{share:.0f} %" for share in shares],
            "lasts": [f"{minutes // 60}:{minutes % 60:02}:00" for minutes in range(900, 2700, 15)],
        }
    )
    frame.loc[3:5, ["size", "sold", "seen", "opens", "price", "share", "lasts"]] = None
    target = days.dt.day_of_week + days.dt.month + prices / 1000 + shares / 10
    return frame.assign(y=target + random.normal(size=COUNT))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A training of one epoch; the first rows have other values in half of their columns."""
    folder = tmp_path_factory.mktemp("dates")
    table().to_csv(folder / "sales.csv", index=False)
    with pytest.warns(DataWarning, match="'id' was left out"):
        return keras_fm.train(
            "linear_regression", data=folder / "sales.csv", target="y", epochs=1,
            run_dir=folder / "run",
        )  # fmt: skip


@pytest.fixture(scope="module")
def version(run):
    return helpers.export(run.path, run.path.parent / "sales")


@pytest.fixture(scope="module")
def served(version):
    return tf.saved_model.load(str(version)).signatures["serving_default"]


def predict(model, rows):
    return [prediction["value"] for prediction in pipelines.pipeline(model)(rows)]


def as_tensors(rows):
    """Return rows as a server has them: strings, and NaN for missing numbers."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    size = [float("nan") if cell in (None, "?") else cell for cell in columns.pop("size")]
    strings = {name: [cell or "" for cell in cells] for name, cells in columns.items()}
    return {
        "size": tf.constant(size, tf.float32),
        **{k: tf.constant(v) for k, v in strings.items()},
    }


def test_the_columns_are_told(run, capsys):
    expected = (
        "columns: 1 number, 1 amount (price: $), 1 percentage, 1 duration, 1 category, 2 dates "
        "(sold: elapsed days, month, day, weekday; seen: elapsed days, month, day, weekday, hour), "
        "1 time of day (opens: fraction of the day, hour), 1 left out (id: an id)"
    )
    assert expected in run.report()
    assert cli.main(["info", str(run.path)]) == 0
    shown = capsys.readouterr().out
    assert expected in shown
    description = (
        "string, a date such as 2024-05-31 or 31/05/2024; in the model: elapsed days, month, day, "
        "weekday"
    )
    assert re.search(rf"input sold +{description}\n", shown)


def test_a_loaded_run_and_a_keras_file_read_the_same_strings(run, tmp_path):
    expected = predict(run.model, ROWS)
    loaded = loading.get(run.path)
    assert spec_of(loaded).inputs == spec_of(run.model).inputs
    assert predict(loaded, ROWS) == expected
    loaded.save(tmp_path / "sales.keras")
    assert predict(loading.get(tmp_path / "sales.keras"), ROWS) == expected
    assert len({*expected}) == 4 - 1  # the second and the third row are all missing


def test_an_export_answers_raw_rows_as_the_pipeline_does(run, served):
    dtypes = {name: spec.dtype.name for name, spec in served.structured_input_signature[1].items()}
    strings = dict.fromkeys(["kind", "sold", "seen", "opens", "price", "share", "lasts"], "string")
    assert dtypes == {"size": "float32", **strings}
    values = served(**as_tensors(ROWS))["value"]
    np.testing.assert_allclose(values, predict(run.model, ROWS), rtol=1e-5)


@pytest.mark.parametrize("protocol", ["rest", pytest.param("grpc", marks=pytest.mark.thorough)])
def test_a_client_takes_what_a_pipeline_takes(run, version, serve, protocol):
    client = keras_fm.Client(getattr(serve({"sales": version}), protocol), "sales")
    rows = [*ROWS, *({**ROWS[0], **values} for values, _ in VALUES)]
    values = [prediction["value"] for prediction in client(rows)]
    np.testing.assert_allclose(values, predict(run.model, rows), rtol=1e-5)
    for name, string in UNREADABLE.items():
        with pytest.raises(ServerError, match=f"{name}, row 1: expected an? .* received {string}"):
            client([ROWS[0], {**ROWS[0], name: string}])


@pytest.mark.parametrize(("values", "strings"), helpers.first(VALUES, 4))
def test_values_of_any_library_are_read_as_their_strings(run, values, strings):
    pipe = pipelines.pipeline(run.model)
    assert pipe({**ROWS[0], **values}) == pipe({**ROWS[0], **strings})
    columns = {name: [cell] for name, cell in {**ROWS[0], **values}.items()}
    assert pipe(columns) == pipe(pd.DataFrame(columns))


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_can_not_be_read_is_refused_as_by_a_server(run, served, name):
    rows = [ROWS[0], {**ROWS[0], name: UNREADABLE[name]}]
    for call in (pipelines.pipeline(run.model), pipelines.pipeline(run.model).preprocess):
        with pytest.raises(
            InvalidInputError, match=f"column '{name}', row 1: expected an? "
        ) as error:
            call(rows)
    message = str(error.value)
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        served(**as_tensors(rows))
    assert message.removeprefix("column ").replace("'", "") in error.value.message


def test_an_explanation_hides_a_date_as_a_whole(run):
    (attribution,) = keras_fm.explain(run.model, ROWS[:1]).attributions
    assert len(attribution.scores) == len(ROWS[0])
    position = [feature.startswith("sold ") for feature in attribution.features].index(True)
    value, without = predict(run.model, [ROWS[0], {**ROWS[0], "sold": None}])
    assert attribution.scores[position] == pytest.approx(value - without, abs=1e-4)


@pytest.mark.thorough
def test_a_run_is_evaluated_on_files_and_frames(run):
    held_out = evaluation.evaluate(run.path)
    assert held_out["rmse"] == pytest.approx(run.metrics["rmse"], rel=1e-5)
    with pytest.warns(DataWarning, match="96 of 120 examples were in the training data"):
        from_file = evaluation.evaluate(run.path, data=run.path.parent / "sales.csv")
    assert from_file["num_examples"] == COUNT
    with pytest.warns(DataWarning, match="96 of 120 examples were in the training data"):
        from_frame = evaluation.evaluate(run.path, data=table())
    assert from_frame["rmse"] == pytest.approx(from_file["rmse"], rel=1e-5)


def test_the_readme_of_an_export_says_what_a_date_is(version):
    text = (version.parent / "README.md").read_text("utf-8")
    assert "`sold` is a date such as 2024-05-31 or 31/05/2024, or none where it is missing." in text


@pytest.mark.parametrize("name", ["mlp", "linear_regression"])
def test_every_model_of_tables_takes_dates_alone(name):
    column = Input(
        name="sold", dtype="string", shape=[], description="",
        dates=Dates(parts=["elapsed", "month"], origin="2024-01-01"),
    )  # fmt: skip
    package, _ = registry.find(name)
    model = package.module("model").build([column], Target(name="y", description=""))
    encoded = encode_columns([column], {"sold": np.array(["2024-06-01", "2025-01-31", ""])})
    assert encoded["sold"].shape == (3, 3)
    package.module("model").adapt(model, Examples(encoded, np.arange(3.0), ""))
    assert np.isfinite(model(encoded)).all()


def test_dropped_cells_of_a_date_are_dropped_together():
    recipe = ModelSpec.of(registry.find("linear_regression")[0]).task.default_recipe()
    columns = {"sold": np.ones((64, 3), "float32"), "size": np.ones(64, "float32")}
    batches = TabularBatches(
        columns, np.ones(64, "float32"), recipe=recipe.override(cell_dropout=0.5), seed=0
    )
    dropped = batches.inputs_for(np.arange(64), np.random.default_rng(0))
    missing = np.isnan(dropped["sold"])
    assert (missing == missing[:, :1]).all()
    assert 0 < missing[:, 0].sum() < 64
