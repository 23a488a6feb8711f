"""The typed schema of `recipe.toml`: every number of a training, flat, on one screen."""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from keras_fm.errors import InvalidInputError, UnknownNameError, suggest
from keras_fm.registry import schema
from keras_fm.registry.schema import Struct
from keras_fm.registry.toml import read_toml

Positive = Annotated[int, Meta(gt=0)]
NonNegative = Annotated[int, Meta(ge=0)]
Rate = Annotated[float, Meta(gt=0.0, le=1e6)]  # finite: infinity has no place in TOML
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
BelowOne = Annotated[float, Meta(ge=0.0, lt=1.0)]


class Recipe(Struct, frozen=True, kw_only=True):
    """A training recipe. A field that a recipe leaves out has the value that does nothing.

    dataset: TFDS name. validation_examples: cut from the end of its train split.
    parts: epochs that a visit of all examples takes; an epoch is what can be lost when it stops.
    optimizer, learning_rate (the peak), momentum, beta_1, beta_2, nesterov, weight_decay: as Keras'
    optimizers have them. schedule: "constant", or "triangle": up from zero over the first `warmup`
    fraction of all steps, then straight down to zero; all of it `cycles` times.
    label_smoothing: as Keras' cross-entropy. flip: mirror each image with probability 1/2, or in
    every second epoch ("alternating"). translate, cutout: pixels.
    sides, side_starts: trains on images scaled to a side of `sides[i]` pixels from the fraction
    `side_starts[i]` of all epochs on; empty: as they are.
    Of a generator that learns against a discriminator: discriminator_rate is the latter's learning
    rate (0: the same); gradient_penalty the weight of R1; moving_average how much of the weights'
    average stays at each step.
    hide_cells: the share of a table's cells that a training hides, so that it learns to do without.
    hide_words: the same of a text's words.
    adversarial: how far the words' vectors of a text are moved against the model, which learns it
    so moved, too: a multiple of the usual size of their numbers. 0: not at all.
    window: characters, words or pieces of a text that a model learns from at once; long_window: the
    same from the fraction `long_from` of each cycle's epochs on (0: no longer ones), fewer at once.
    clip_norm: the longest gradient, over all weights; longer ones are scaled down to it. 0: any.
    patience: epochs without a lower validation loss after which a training stops; it ends with the
    weights of the lowest. 0: it takes all epochs, and ends with the last weights.
    class_weights: "balanced" lets all classes count the same, however many examples they have.
    learns: all layers, those of the head alone, or these and low-rank adapters of the others'
    kernels, of rank lora_rank, scaled by lora_alpha / lora_rank (a lora_alpha of 0: by 1).
    batch_norm: whether batch normalisation learns; "frozen", it keeps its statistics too.
    generated: images that a generator adds to a training set, as a multiple of its own.
    precision: what the layers compute in; "auto" is bfloat16 where the machine is fast at it.
    """

    dataset: str
    validation_examples: NonNegative = 0
    epochs: Positive
    parts: Positive = 1
    batch_size: Positive
    optimizer: Literal["sgd", "adam", "adamw"]
    learning_rate: Rate
    momentum: BelowOne = 0.0
    beta_1: BelowOne = 0.9
    beta_2: BelowOne = 0.999
    nesterov: bool = False
    weight_decay: Annotated[float, Meta(ge=0.0)] = 0.0
    schedule: Literal["constant", "triangle"] = "constant"
    warmup: BelowOne = 0.0
    cycles: Positive = 1
    label_smoothing: BelowOne = 0.0
    flip: Literal["none", "random", "alternating"] = "none"
    translate: NonNegative = 0
    cutout: NonNegative = 0
    sides: list[Positive] = []
    side_starts: list[BelowOne] = []
    discriminator_rate: Annotated[float, Meta(ge=0.0)] = 0.0
    gradient_penalty: Annotated[float, Meta(ge=0.0)] = 0.0
    moving_average: BelowOne = 0.0
    hide_cells: BelowOne = 0.0
    hide_words: BelowOne = 0.0
    adversarial: Annotated[float, Meta(ge=0.0)] = 0.0
    window: NonNegative = 0
    long_window: NonNegative = 0
    long_from: BelowOne = 0.9
    clip_norm: Annotated[float, Meta(ge=0.0)] = 0.0
    patience: NonNegative = 0
    class_weights: Literal["equal", "balanced"] = "equal"
    learns: Literal["all", "head", "adapters"] = "all"
    batch_norm: Literal["learns", "frozen"] = "learns"
    lora_rank: NonNegative = 0
    lora_alpha: Annotated[float, Meta(ge=0.0)] = 0.0
    generated: Annotated[float, Meta(ge=0.0)] = 0.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        if (self.learns == "adapters") != (self.lora_rank > 0):
            raise ValueError(
                "field 'lora_rank': expected a rank from 1 where learns is \"adapters\", else 0; "
                f"received {self.lora_rank} and learns = {self.learns!r}"
            )
        if self.adversarial and self.learns == "head":
            raise ValueError(
                "field 'adversarial': expected 0.0 where learns is \"head\", which sees no words; "
                f"received {self.adversarial}"
            )
        if self.cycles > 1 and self.schedule == "constant":
            raise ValueError(f"field 'cycles': 'constant' has none; received {self.cycles}")
        starts = self.side_starts
        if (
            len(self.sides) != len(starts)
            or starts != sorted(starts)
            or starts[:1] not in ([], [0.0])
        ):
            raise ValueError(
                f"field 'side_starts': expected one rising fraction for each of the sides "
                f"{self.sides}, the first 0.0; received {starts}"
            )

    @property
    def alters(self) -> bool:
        """Whether an example is another one in each epoch."""
        hidden = self.hide_cells or self.hide_words
        return bool(self.flip != "none" or self.translate or self.cutout or self.sides or hidden)

    def side(self, epoch: int) -> int | None:
        """The side of the images in this epoch, in pixels; None where they keep their own."""
        begun = [
            side
            for side, start in zip(self.sides, self.side_starts, strict=True)
            if start <= epoch / self.epochs
        ]
        return begun[-1] if begun else None

    def override(self, **changes: Any) -> "Recipe":
        """This recipe with some fields changed, checked like a file."""
        known = self.__struct_fields__
        for name in changes:
            if name not in known:
                raise UnknownNameError(f"the recipe has no field {name!r}. {suggest(name, known)}")
        return schema.convert({**self.to_dict(), **changes}, Recipe, where="recipe override")

    def to_dict(self) -> dict[str, Any]:
        """Every field with its value, in the order of the schema."""
        return msgspec.to_builtins(self)

    def to_toml(self) -> str:
        """The resolved recipe as TOML; a run directory keeps it."""
        # A flat table of numbers, strings and booleans: JSON spells each as TOML does.
        return "".join(f"{name} = {json.dumps(value)}\n" for name, value in self.to_dict().items())


def load_recipe(path: Path) -> Recipe:
    """Reads and checks one `recipe.toml`; a `SchemaError` names file, field and value."""
    return schema.convert(read_toml(path), Recipe, where=str(path))


def fingerprint(path: Path) -> str:
    """sha256 of the values in a recipe file: a better comment keeps it, another number does not."""
    table = read_toml(path)
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def parse_setting(text: str) -> tuple[str, Any]:
    """Splits `"epochs=2"` of a command line into its name and its typed value."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InvalidInputError(f"expected NAME=VALUE, such as epochs=2; received {text!r}")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()  # a bare word is a string
