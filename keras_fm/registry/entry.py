"""The typed schema of `entry.toml`: what a model is, and what is claimed of its weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from keras_fm.errors import InvalidInputError, SchemaError, UnknownNameError, suggest
from keras_fm.registry import schema
from keras_fm.registry.metrics import METRICS
from keras_fm.registry.schema import Struct
from keras_fm.registry.toml import read_toml

Task = Literal[
    "image-classification",
    "image-generation",
    "masked-language-modelling",
    "table-classification",
    "table-regression",
    "text-classification",
    "text-generation",
]
Positive = Annotated[int, Meta(gt=0)]
NonNegative = Annotated[float, Meta(ge=0.0)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
# What a room names lies in it: no absolute path, no way out of it.
_INSIDE = r"^(?!\.)[\w.-]+(/(?!\.)[\w.-]+)*"
PackagePath = Annotated[str, Meta(pattern=rf"{_INSIDE}\Z")]
WeightsPath = Annotated[str, Meta(pattern=rf"{_INSIDE}(?<=\.weights\.h5)\Z")]
# No file of the machine that reads the entry.
Url = Annotated[str, Meta(pattern=r"^(https?|hf)://[^\s#]+\Z")]
Tag = Annotated[str, Meta(pattern=r"^[a-z0-9_]+\Z")]


class Input(Struct, frozen=True, kw_only=True):
    """One input of the model: its name, its dtype, and its shape without the batch dimension.

    shape: "any" is any length.
    values: of a table's column of strings, those that the model knows; of a text, its characters.
    longest: how many words of a text the model reads.
    missing: the number that stands for none in a table's column, beside NaN.
    """

    name: str
    dtype: str
    shape: list[Positive | Literal["any"]]
    meaning: str
    values: list[str] = []
    longest: Positive | None = None
    missing: float | None = None

    @property
    def sizes(self) -> list[int]:
        """The shape of an input whose lengths are all fixed."""
        return [size for size in self.shape if size != "any"]


class Target(Struct, frozen=True, kw_only=True):
    """The quantity that a regression answers. log: it learns and is measured on its logarithm."""

    name: str
    meaning: str
    log: bool = False


class Baseline(Struct, frozen=True, kw_only=True):
    """What another method reaches on the same task, to compare with.

    source: the command that measures it, or where it is published.
    """

    method: str
    metric: str
    value: NonNegative
    source: str


class Seeds(Struct, frozen=True, kw_only=True):
    """The same recipe from several seeds: each metric's values, in the order of `seeds`.

    hardware: of each training; none: that of the maker.
    """

    seeds: Annotated[list[int], Meta(min_length=1)]
    minutes: list[NonNegative]
    metrics: dict[str, list[NonNegative]]
    hardware: list[str] = []


class TrainingEnvironment(Struct, frozen=True, kw_only=True):
    """What wrote the weights."""

    keras: str
    backend: str
    precision: Literal["float32", "bfloat16"]
    hardware: str
    minutes: float


class Weights(Struct, frozen=True, kw_only=True):
    """One weights file and every claim about it; `keras_fm.verify` measures them again.

    metrics: by name (`keras_fm.metrics`), of the stored file on all `examples` of `split`; the
    first is the one that lists show. sample: the same on the bundled sample, but for those that
    want more examples.
    flops: floating-point operations for one example, a multiply-add counting as two; of a model of
    texts, for one character, word or piece.
    task: of a model with them, where it is the one that a training begins with.
    pretraining_sha256: of the recipe of the task that their training began with.
    start_sha256: of the weights of the entry's `start` that it began with.
    urls: where the file lies that is not in the package, the first one to be tried first.
    """

    file: WeightsPath
    bytes: Positive
    sha256: Sha256
    storage: Literal["float32", "float16"]
    parameters: Positive
    flops: Positive
    dataset: str
    split: str
    examples: Positive
    metrics: Annotated[dict[str, NonNegative], Meta(min_length=1)]
    sample: dict[str, NonNegative]
    licence: str
    recipe: PackagePath
    recipe_sha256: Sha256
    maker: TrainingEnvironment
    seeds: Seeds
    task: Task | None = None
    pretraining_sha256: Sha256 | None = None
    start_sha256: Sha256 | None = None
    urls: list[Url] = []

    @property
    def hardware(self) -> list[str]:
        """What each seed was trained on."""
        return self.seeds.hardware or [self.maker.hardware] * len(self.seeds.seeds)


class Entry(Struct, frozen=True, kw_only=True):
    """A model of the zoo: `keras_fm.info(name)`.

    dataset: TFDS name. splits: "train" and "test" in TFDS's own terms, where they are not its own;
    "adapting" is what the room's `adapt` sees, where that is more than the training examples.
    vocabulary: a file in the room with a word or piece a line. tokenizer: which of them it has.
    anchors: what other methods reach.
    output: what a generator makes. judge: the classifier of the zoo that measures its images.
    pretraining: the task that a training begins with, by the room's `pretraining.toml`, on the
    split "pretraining"; the layers that both models have go on with what they learned.
    start: the pretrained model of the zoo that a training begins with in place of random weights;
    it does the same as this one, having learned from other data.
    withdrawn: weights that were released once and are not any more, and why.
    """

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*\Z")]
    title: str
    summary: str
    task: Task
    dataset: str
    splits: dict[str, str] = {}
    inputs: Annotated[list[Input], Meta(min_length=1)]
    labels: list[str] = []
    vocabulary: PackagePath | None = None
    tokenizer: Literal["words", "wordpiece"] = "words"
    anchors: list[Baseline] = []
    target: Target | None = None
    output: Input | None = None
    judge: str | None = None
    pretraining: Task | None = None
    start: str | None = None
    sources: list[str] = []
    default_weights: Tag | None = None
    weights: dict[Tag, Weights] = {}
    withdrawn: dict[Sha256, str] = {}

    @property
    def pretrained(self) -> bool:
        """Whether it has weights of its own task; those of its pretraining alone don't count."""
        return self.default_weights is not None

    def split(self, name: str) -> str:
        """TFDS's words for a split of the data set."""
        return self.splits.get(name, name)

    def weights_of(self, tag: str | None = None) -> Weights:
        """The record of one tag (None: the default one); `UnknownNameError` names the others."""
        tag = tag or self.default_weights
        if tag is None:
            start = "".join(f" --start {self.name}.{tag}" for tag in [*self.weights][:1])
            raise UnknownNameError(
                f"{self.name!r} has no pretrained weights; "
                f"build it with weights=None, or train it: keras-fm train {self.name}{start}"
            )
        if tag not in self.weights:
            raise UnknownNameError(
                f"{self.name!r} has no weights {tag!r}. {suggest(tag, self.weights)}"
            )
        return self.weights[tag]


def load_entry(path: Path) -> Entry:
    """Reads and checks one `entry.toml`; a `SchemaError` names file, field and value."""
    table = read_toml(path)
    # Each weights table on its own first: msgspec's path would lose which tag was wrong.
    for tag, weights in _tables(table.get("weights", {})).items():
        schema.convert(weights, Weights, where=f"{path}: [weights.{tag}]")
    entry = schema.convert(table, Entry, where=str(path))
    for tag, record in entry.weights.items():
        _check_metrics(record, where=f"{path}: [weights.{tag}]")
        if record.task not in (None, entry.pretraining):
            raise SchemaError(
                f"{path}: [weights.{tag}]: field 'task': expected the entry's 'pretraining', "
                f"{entry.pretraining!r}, or none; received {record.task!r}"
            )
    for anchor in entry.anchors:
        _check_metric(anchor.metric, anchor.value, str(path), field="anchors")
    _check_across_fields(entry, path)
    return entry


def _tables(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict):
        return {}  # the check of the whole entry says what is wrong
    return {tag: table for tag, table in value.items() if isinstance(table, dict)}


def _check_across_fields(entry: Entry, path: Path) -> None:
    if entry.name != path.parent.name:
        raise SchemaError(
            f"{path}: field 'name': expected the folder's name {path.parent.name!r}, "
            f"received {entry.name!r}"
        )
    own = sorted(tag for tag, record in entry.weights.items() if record.task is None)
    if entry.default_weights not in own and (own or entry.pretrained):
        raise SchemaError(
            f"{path}: field 'default_weights': expected one of {own}, the weights of the entry's "
            f"task, or none without them; received {entry.default_weights!r}"
        )
    if entry.pretraining is not None and entry.start is not None:
        raise SchemaError(
            f"{path}: fields 'pretraining' and 'start': a training begins with one of them; "
            f"received {entry.pretraining!r} and {entry.start!r}"
        )
    if entry.task.endswith("regression") and entry.target is None:
        raise SchemaError(f"{path}: field 'target': a regression names the quantity it answers")
    if entry.task == "image-generation" and not (entry.output and entry.judge and entry.labels):
        raise SchemaError(
            f"{path}: fields 'output', 'judge' and 'labels': a generator says what it makes, of "
            "which classes, and which model of the zoo its images are measured by"
        )
    values = [value for given in entry.inputs for value in given.values]
    if entry.task == "text-generation" and any(len(value) != 1 for value in values):
        raise SchemaError(f"{path}: field 'inputs': expected single characters as values")
    if entry.task == "text-classification" and entry.vocabulary is None:
        raise SchemaError(f"{path}: field 'vocabulary': expected the name of a file in the room")
    if entry.task.endswith("classification") and len(entry.labels) < 2:
        raise SchemaError(
            f"{path}: field 'labels': a classifier has at least 2, received {entry.labels!r}"
        )


def _check_metrics(record: Weights, where: str) -> None:
    metrics = [*record.metrics]
    for table, names, expected in (
        # Some metrics want more examples than a sample has.
        ("sample", [*record.sample], [name for name in metrics if name in record.sample]),
        ("seeds.metrics", [*record.seeds.metrics], metrics),
    ):
        if names != expected or not names:
            raise SchemaError(
                f"{where}: field {table!r}: expected {metrics} as in 'metrics', received {names}"
            )
    for name, value in record.metrics.items():
        _check_metric(name, value, where, field="metrics")


def _check_metric(name: str, value: float, where: str, field: str) -> None:
    if name not in METRICS:
        raise SchemaError(f"{where}: field {field!r}: no metric {name!r}. {suggest(name, METRICS)}")
    if value > METRICS[name].highest:
        raise SchemaError(
            f"{where}: field '{field}.{name}': expected at most {METRICS[name].highest}, "
            f"received {value}"
        )


def to_dict(entry: Entry) -> dict[str, Any]:
    """The entry as plain dicts and lists, for `--json`."""
    return msgspec.to_builtins(entry)


def check_class_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels that are one line of an export's `labels.txt` each.

    Raises:
        InvalidInputError: fewer than two, one twice, or one that is empty or not printable.
    """
    names = list(labels) if isinstance(labels, Sequence) and not isinstance(labels, str) else []
    printable = all(isinstance(name, str) and name.strip() and name.isprintable() for name in names)
    if len(names) < 2 or not printable or len(set(names)) != len(names):
        raise InvalidInputError(
            f"labels is a list of at least 2 different printable names; received {labels!r}"
        )
    return tuple(names)
