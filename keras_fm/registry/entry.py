"""The typed schema of `entry.toml`: what a model is, and what is claimed of its weights."""

import statistics
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from keras_fm.errors import InvalidInputError, SchemaError, UnknownNameError, suggest
from keras_fm.registry import entry_view, schema
from keras_fm.registry.dates import Dates
from keras_fm.registry.entry_checks import check_across_fields, check_metric, check_metrics
from keras_fm.registry.schema import Struct
from keras_fm.registry.tasks import TASKS
from keras_fm.registry.toml import read_toml

Positive = Annotated[int, Meta(gt=0)]
NonNegative = Annotated[float, Meta(ge=0.0)]
Proportion = Annotated[float, Meta(ge=0.0, le=1.0)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
# What an entry names lies in its folder: no absolute path, no way out of it.
_INSIDE = r"^(?!\.)[\w.-]+(/(?!\.)[\w.-]+)*"
PackagePath = Annotated[str, Meta(pattern=rf"{_INSIDE}\Z")]
WeightsPath = Annotated[str, Meta(pattern=rf"{_INSIDE}(?<=\.weights\.h5)\Z")]
# No file of the machine that reads the entry.
Url = Annotated[str, Meta(pattern=r"^(https?|hf)://[^\s#]+\Z")]
Tag = Annotated[str, Meta(pattern=r"^[a-z0-9_]+\Z")]


class Input(Struct, frozen=True, kw_only=True):
    """One input of a model.

    Attributes:
        name: The name.
        dtype: Of the raw input, such as `"uint8"` or `"string"`.
        shape: Without the batch dimension; `"any"` is any length.
        description: In words, with units.
        categories: The strings that a column of a table knows, or the characters of a text.
        max_length: How many tokens of a text the model reads.
        missing_value: The number that stands for a missing one in a table, beside NaN.
        scale: What a number of a table is divided by before it enters the model; None: by nothing.
        dates: How strings of a table are read as dates; None: they are none.
        unit: The sign of strings of a table that are numbers, such as "$" and "%", or "seconds" of
            durations; "": they are neither.
        hash_buckets: How many buckets the words of a table's texts are hashed to; None: they are no
            texts.
    """

    name: str
    dtype: str
    shape: list[Positive | Literal["any"]]
    description: str
    categories: list[str] = []
    max_length: Positive | None = None
    missing_value: float | None = None
    scale: float | None = None
    dates: Dates | None = None
    unit: str = ""
    hash_buckets: Positive | None = None

    @property
    def sizes(self) -> list[int]:
        """The shape of an input whose lengths are all fixed."""
        return [size for size in self.shape if size != "any"]


class Target(Struct, frozen=True, kw_only=True):
    """What a model of a table predicts.

    Attributes:
        name: The name of the column.
        description: In words, with units.
        log: Whether a regression is trained and evaluated on its logarithm.
        scale: The unit that a regression is trained in: a power of ten near the standard deviation
            of values far from 1; None: the target's own.
    """

    name: str
    description: str
    log: bool = False
    scale: float | None = None


class Baseline(Struct, frozen=True, kw_only=True):
    """A figure of another method on the same task, to compare with.

    Attributes:
        method: The method, in words.
        metric: The name of a metric.
        value: The figure.
        source: The command that measures it, or where it is published.
    """

    method: str
    metric: str
    value: NonNegative
    source: str


class Seeds(Struct, frozen=True, kw_only=True):
    """Trainings by one recipe with several seeds.

    Attributes:
        seeds: The seeds.
        minutes: Of each training.
        metrics: The values of each metric, in the order of `seeds`.
        hardware: Of each training; none for that of the training environment.
    """

    seeds: Annotated[list[int], Meta(min_length=1)]
    minutes: list[NonNegative]
    metrics: dict[str, list[NonNegative]]
    hardware: list[str] = []


class TrainingEnvironment(Struct, frozen=True, kw_only=True):
    """What trained the weights."""

    keras: str
    backend: str
    precision: Literal["float32", "bfloat16"]
    hardware: str
    minutes: float


class CalibrationClaims(Struct, frozen=True, kw_only=True):
    """A calibration of the weights, and what is claimed of it on the split of the metrics.

    Attributes:
        file: Of the calibration (`keras_fm.calibration`), in the model's folder.
        sha256: Of the file.
        metrics: By name, as `evaluate(..., calibration=True)` measures them.
        auroc: How well the in-distribution score tells the split from other data: the area under
            the ROC curve by what `evaluate` takes as `out_of_distribution`.
    """

    file: PackagePath
    sha256: Sha256
    metrics: Annotated[dict[str, NonNegative], Meta(min_length=1)]
    auroc: dict[str, Proportion] = {}


class RobustnessClaims(Struct, frozen=True, kw_only=True):
    """What is claimed of a classifier's accuracy on corrupted inputs.

    Attributes:
        num_examples: How many of the split of the metrics are corrupted: the first ones.
        uncorrupted: The accuracy on the same examples as they are.
        corrupted: The accuracy at severities 1 to 5 by corruption, as `evaluate(..., corruption=,
            severity=)` corrupts.
    """

    num_examples: Positive
    uncorrupted: Proportion
    corrupted: Annotated[
        dict[str, Annotated[list[Proportion], Meta(min_length=5, max_length=5)]],
        Meta(min_length=1),
    ]

    @property
    def mean_accuracy(self) -> float:
        """The mean over corruptions and severities."""
        return statistics.fmean(value for row in self.corrupted.values() for value in row)


class Weights(Struct, frozen=True, kw_only=True):
    """One weights file and every claim about it; `keras_fm.verify` measures them again.

    Attributes:
        file: Its path in the model's folder.
        file_size: In bytes.
        sha256: Of the file.
        storage: What matrices and kernels are stored in.
        num_parameters: Of the model.
        flops: Floating-point operations for one example, a multiply-add counting as two; of a model
            of texts, for one token or character.
        dataset: TFDS name.
        split: The split that the metrics are of.
        num_examples: In that split.
        metrics: By name (`keras_fm.registry.metrics`), of the stored file on the whole split; lists
            show the first.
        sample_metrics: The same on the bundled sample, but for those that need more examples.
        license: SPDX identifier.
        recipe: The file of the training recipe.
        recipe_sha256: Of the values in it.
        training_environment: What trained the weights.
        seeds: Trainings by the same recipe with several seeds.
        task: The entry's `pretraining` where the weights are of that task.
        pretraining_sha256: Of the recipe of the pretraining that came before.
        init_from_sha256: Of the weights of the entry's `init_from` that training started from.
        teacher: Whose outputs were learned, such as `"mini_bert.v1"` (knowledge distillation).
        teacher_sha256: Of its weights.
        calibration: Of a classifier.
        slices: Of a classifier: the accuracy on slices of the split, by what they are sliced by
            (`evaluate(..., slice_by=)`) and by the slice's name.
        robustness: Of a classifier.
        urls: Mirrors of a file that is not in the package, the first to be tried first.
    """

    file: WeightsPath
    file_size: Positive
    sha256: Sha256
    storage: Literal["float32", "float16"]
    num_parameters: Positive
    flops: Positive
    dataset: str
    split: str
    num_examples: Positive
    metrics: Annotated[dict[str, NonNegative], Meta(min_length=1)]
    sample_metrics: dict[str, NonNegative]
    license: str
    recipe: PackagePath
    recipe_sha256: Sha256
    training_environment: TrainingEnvironment
    seeds: Seeds
    task: str | None = None
    pretraining_sha256: Sha256 | None = None
    init_from_sha256: Sha256 | None = None
    teacher: str | None = None
    teacher_sha256: Sha256 | None = None
    calibration: CalibrationClaims | None = None
    slices: dict[str, dict[str, Proportion]] = {}
    robustness: RobustnessClaims | None = None
    urls: list[Url] = []

    @property
    def hardware(self) -> list[str]:
        """The hardware of each seed's training."""
        return self.seeds.hardware or [self.training_environment.hardware] * len(self.seeds.seeds)


class Entry(Struct, frozen=True, kw_only=True):
    """A model of the zoo: `keras_fm.info(name)`.

    Attributes:
        name: The model's name.
        title: In a few words.
        summary: In a sentence.
        task: Its ID (`keras_fm.registry.tasks`).
        dataset: TFDS name.
        splits: `"train"` and `"test"` in TFDS's terms, where they are not its own; `"adapt"` is
            what `adapt` of `model.py` sees, where that is more than the training examples.
        inputs: The model's inputs.
        labels: The class names of a classifier, or of what a generator makes.
        vocabulary: A file in the folder with a token in each line.
        tokenizer: What the tokens are.
        baselines: Figures of other methods.
        target: What a model of a table predicts.
        output: What a generator makes.
        has_attention: Whether a classifier of texts has attention, which `explain` shows; None
            where only its layers tell.
        evaluator: The classifier of the zoo that generated images are evaluated with.
        pretraining: The task that training begins with, by `pretraining.toml` on the split
            "pretraining"; layers that both models have keep their weights.
        init_from: The pretrained model of the same task that training starts from.
        references: Papers and pages.
        default_weights: The tag that `get` loads.
        weights: By tag.
        withdrawn: Weights that were released once and are no more, by sha256, and why.
    """

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*\Z")]
    title: str
    summary: str
    task: str
    dataset: str
    splits: dict[str, str] = {}
    inputs: Annotated[list[Input], Meta(min_length=1)]
    labels: list[str] = []
    vocabulary: PackagePath | None = None
    tokenizer: Literal["words", "wordpiece"] = "words"
    baselines: list[Baseline] = []
    target: Target | None = None
    output: Input | None = None
    has_attention: bool | None = None
    evaluator: str | None = None
    pretraining: str | None = None
    init_from: str | None = None
    references: list[str] = []
    default_weights: Tag | None = None
    weights: dict[Tag, Weights] = {}
    withdrawn: dict[Sha256, str] = {}

    def __repr__(self) -> str:
        """Return the entry in a few lines; `msgspec.to_builtins` has all of it."""
        return entry_view.to_text(self)

    def _repr_html_(self) -> str:
        """Return a table."""
        return entry_view.to_html(self)

    @property
    def pretrained(self) -> bool:
        """Whether it has weights of its own task; those of its pretraining alone don't count."""
        return self.default_weights is not None

    def split(self, name: str) -> str:
        """Return TFDS's words for a split of the data set."""
        return self.splits.get(name, name)

    def weights_of(self, tag: str | None = None) -> Weights:
        """Return the record of a tag; None is the default one.

        Raises:
            UnknownNameError: There is no such tag; the message suggests others.
        """
        tag = tag or self.default_weights
        if tag is None:
            init_from = "".join(f" --init-from {self.name}.{tag}" for tag in [*self.weights][:1])
            raise UnknownNameError(
                f"{self.name!r} has no pretrained weights; "
                f"build it with weights=None, or train it: keras-fm train {self.name}{init_from}"
            )
        if tag not in self.weights:
            raise UnknownNameError(
                f"{self.name!r} has no weights {tag!r}. {suggest(tag, self.weights)}"
            )
        return self.weights[tag]


def load_entry(path: Path) -> Entry:
    """Read and check one `entry.toml`.

    Raises:
        SchemaError: It has a mistake; the message names file, field and value.
    """
    table = read_toml(path)
    # Each weights table on its own first: msgspec's path would lose which tag was wrong.
    for tag, weights in _tables(table.get("weights", {})).items():
        schema.convert(weights, Weights, where=f"{path}: [weights.{tag}]")
    entry = schema.convert(table, Entry, where=str(path))
    for field, task in (("task", entry.task), ("pretraining", entry.pretraining)):
        if task is not None and task not in TASKS:
            raise SchemaError(f"{path}: field {field!r}: no task {task!r}. {suggest(task, TASKS)}")
    for tag, record in entry.weights.items():
        check_metrics(record, where=f"{path}: [weights.{tag}]")
        if record.task not in (None, entry.pretraining):
            raise SchemaError(
                f"{path}: [weights.{tag}]: field 'task': expected the entry's 'pretraining', "
                f"{entry.pretraining!r}, or none; received {record.task!r}"
            )
    for baseline in entry.baselines:
        check_metric(baseline.metric, baseline.value, str(path), field="baselines")
    check_across_fields(entry, path)
    return entry


def check_class_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Check that class names can be one line each of an export's `labels.txt`; compose them.

    Args:
        class_names: A list, a tuple, an array, or a column or index of pandas.

    Raises:
        InvalidInputError: There are fewer than two, one is there twice, or one is empty or not
            printable.
    """
    names: Any = class_names.tolist() if hasattr(class_names, "tolist") else class_names
    is_list = isinstance(names, Sequence) and not isinstance(names, (str, bytes))
    names = list(names) if is_list else []
    if not all(isinstance(name, str) and _is_printable(name) for name in names):
        names = []
    names = [compose(str(name)) for name in names]
    if len(names) < 2 or len(set(names)) != len(names):
        raise InvalidInputError(
            "class_names is a list of at least 2 different printable names; received "
            f"{class_names!r}"
        )
    return tuple(names)


def compose(name: str) -> str:
    """Return a name with its accents composed (NFC): macOS writes those of files apart."""
    return unicodedata.normalize("NFC", name)


def _is_printable(name: str) -> bool:
    """Return whether a name can be a line; joiners are no letters, but of Persian and of emoji."""
    letters = name.replace("\u200c", "").replace("\u200d", "")
    return bool(letters.strip()) and letters.isprintable()


def to_dict(entry: Entry) -> dict[str, Any]:
    """Return the entry as plain dicts and lists, for `--json`."""
    return msgspec.to_builtins(entry)


def _tables(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict):
        return {}  # the check of the whole entry says what is wrong
    return {tag: table for tag, table in value.items() if isinstance(table, dict)}
