"""The typed schema of `recipe.toml`: every number of a training, flat, on one screen.

`Recipe` has the fields that every training knows; the `recipe` module of each task's package adds
its own, so a field that would do nothing is an unknown one.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import msgspec
from msgspec import Meta

from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.familiar_names import suggest_option
from keras_fm.options import to_python
from keras_fm.registry import schema
from keras_fm.registry.schema import Struct
from keras_fm.registry.tasks import task_module
from keras_fm.registry.toml import read_toml

Positive = Annotated[int, Meta(gt=0)]
NonNegative = Annotated[int, Meta(ge=0)]
NonNegativeFloat = Annotated[float, Meta(ge=0.0)]
Rate = Annotated[float, Meta(gt=0.0, le=1e6)]  # finite: infinity has no place in TOML
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
BelowOne = Annotated[float, Meta(ge=0.0, lt=1.0)]
# Of classifiers: "balanced" gives all classes the same weight, however many examples they have.
ClassWeight = Literal["none", "balanced"]
# Of a teacher, which knows the classes of the data set that the recipe names.
TEACHER_FIELDS = ("teacher", "distillation_weight", "distillation_temperature", "unlabeled_split")
OWN_DATA = "yours"  # `dataset` of a training on a user's own data, which `run.json` describes


class Recipe(Struct, frozen=True, kw_only=True):
    """A training recipe. A field that a recipe leaves out has the value that does nothing.

    Attributes:
        dataset: TFDS name; `"yours"` where the data are the user's own, in no data set.
        validation_examples: How many are held out of the end of its train split.
        epochs: Each ends with a checkpoint and a validation.
        epochs_per_pass: Epochs in one pass over the data; a checkpoint is written after each.
        passes_per_epoch: Passes in one epoch, where the data are few and a pass takes no time.
        batch_size: Examples in a step.
        drop_remainder: Leaves the examples out of a pass that do not fill its last batch: so the
            figures of the zoo were measured. A training on a user's own data takes all of them.
        optimizer: `"sgd"`, `"adam"`, `"adamw"`, or `"muon"` for the kernels of hidden layers with
            AdamW for the rest; this and the six below are Keras' arguments.
        learning_rate: The peak of the schedule.
        momentum: Of `"sgd"` and `"muon"`.
        beta_1: Of `"adam"`, and of AdamW.
        beta_2: Of `"adam"`, and of AdamW.
        nesterov: Of `"sgd"` and `"muon"`.
        weight_decay: Decoupled.
        schedule: `"constant"`; or `"linear"`, up from zero over the first `warmup_fraction` of all
            steps, then down to zero.
        warmup_fraction: Of the steps of a cycle.
        num_cycles: How often the schedule runs, one cycle after the other.
        global_clipnorm: The largest norm of the gradient over all weights; 0 for any.
        ema_momentum: Of the exponential moving average of the weights, from step to step: that is
            validated, and the trained model has it. 0 for none.
        patience: Epochs without a lower validation loss after which a training stops; it ends with
            the weights of the lowest. 0 runs all epochs and keeps the last weights.
        trainable: `"all"` layers, those of the `"head"`, or these and low-rank `"adapters"`.
        train_batch_norm: False freezes batch normalization, its moving statistics too.
        lora_rank: The rank of the adapters.
        lora_alpha: The adapters are scaled by `lora_alpha / lora_rank`; 0 for a scale of 1.
        teacher: The name or the run directory of a model of the same task, whose outputs are
            learned too (knowledge distillation); `""` for none.
        distillation_weight: Of the teacher's outputs in the loss; the labels have the rest.
        distillation_temperature: Divides both models' logits.
        unlabeled_split: Split of the data set that is learned by the teacher's outputs alone.
        precision: What the layers compute in; `"auto"` is bfloat16 where the machine has it.
    """

    # The folder of the recipes that models of the task are fine-tuned by; None: they are not.
    fine_tuning_group: ClassVar[str | None] = None

    dataset: str
    validation_examples: NonNegative = 0
    epochs: Positive
    epochs_per_pass: Positive = 1
    passes_per_epoch: Positive = 1
    batch_size: Positive
    drop_remainder: bool = True
    optimizer: Literal["sgd", "adam", "adamw", "muon"]
    learning_rate: Rate
    momentum: BelowOne = 0.0
    beta_1: BelowOne = 0.9
    beta_2: BelowOne = 0.999
    nesterov: bool = False
    weight_decay: NonNegativeFloat = 0.0
    schedule: Literal["constant", "linear"] = "constant"
    warmup_fraction: BelowOne = 0.0
    num_cycles: Positive = 1
    global_clipnorm: NonNegativeFloat = 0.0
    ema_momentum: BelowOne = 0.0
    patience: NonNegative = 0
    trainable: Literal["all", "head", "adapters"] = "all"
    train_batch_norm: bool = True
    lora_rank: NonNegative = 0
    lora_alpha: NonNegativeFloat = 0.0
    teacher: str = ""
    distillation_weight: Fraction = 0.5  # this and the next one as in Keras' distillation
    distillation_temperature: Rate = 3.0
    unlabeled_split: str = ""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        """Check what one field means for another."""
        if (self.trainable == "adapters") != (self.lora_rank > 0):
            raise ValueError(
                "field 'lora_rank': expected a rank from 1 where trainable is \"adapters\", else "
                f"0; received {self.lora_rank} and trainable = {self.trainable!r}"
            )
        self._check_distillation()
        if self.optimizer == "muon" and not self.momentum:
            raise ValueError(
                "field 'momentum': expected one above 0 for optimizer = \"muon\", such as 0.95, "
                f"Keras' default; received {self.momentum}"
            )
        if self.epochs_per_pass > 1 and self.passes_per_epoch > 1:
            raise ValueError(
                f"field 'passes_per_epoch': an epoch is a part of a pass (epochs_per_pass = "
                f"{self.epochs_per_pass}); received {self.passes_per_epoch}"
            )
        if self.num_cycles > 1 and self.schedule == "constant":
            raise ValueError(f"field 'num_cycles': 'constant' has none; received {self.num_cycles}")

    def _check_distillation(self) -> None:
        if self.teacher and self.trainable != "all":
            raise ValueError(
                f"field 'teacher': all layers learn from one; received {self.teacher!r} and "
                f"trainable = {self.trainable!r}"
            )
        for name in ("distillation_weight", "distillation_temperature", "unlabeled_split"):
            value, default = getattr(self, name), self.default_of(name)
            if not self.teacher and value != default:
                raise ValueError(
                    f"field {name!r}: expected {default!r} without a teacher; received {value!r}"
                )

    @property
    def augments(self) -> bool:
        """Whether an example differs from epoch to epoch."""
        return False

    @property
    def build_options(self) -> dict[str, Any]:
        """The arguments of `build` that a training by this recipe needs."""
        return {}

    @classmethod
    def default_of(cls, name: str) -> Any:
        """Return the value of a field that a recipe leaves out."""
        field = next(f for f in msgspec.structs.fields(cls) if f.name == name)
        if field.default_factory is not msgspec.NODEFAULT:  # a list
            return field.default_factory()
        return field.default

    def override(self: "AnyRecipe", **changes: Any) -> "AnyRecipe":
        """Return this recipe with some fields changed, checked like a file.

        Raises:
            UnknownNameError: It has no such field.
            SchemaError: A value does not fit its field.
        """
        check_fields(changes, [type(self)])
        values = {name: to_python(value) for name, value in changes.items()}
        return schema.convert({**self.to_dict(), **values}, type(self), where="recipe override")

    def to_dict(self) -> dict[str, Any]:
        """Return every field with its value, in the order of the schema."""
        return msgspec.to_builtins(self)

    def to_toml(self) -> str:
        """Return the resolved recipe as TOML, as a run directory keeps it."""
        # A flat table of numbers, strings and booleans: JSON spells each as TOML does.
        return "".join(f"{name} = {json.dumps(value)}\n" for name, value in self.to_dict().items())


AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)


def check_fields(
    names: Any,
    recipe_classes: list[type[Recipe]],
    description: str = "the recipe",
    *,
    verb: str = "train",
    options: Iterable[str] = (),
) -> None:
    """Check that each name is a field of one of the recipes.

    Args:
        names: The names.
        recipe_classes: Of the recipes.
        description: Of the recipe, for the message.
        verb: The public function that the user called.
        options: Its options, which may be meant as well.

    Raises:
        UnknownNameError: None of the recipes has a field of this name.
    """
    fields = {field for recipe_class in recipe_classes for field in recipe_class.__struct_fields__}
    for name in names:
        if name not in fields:
            hint = suggest_option(name, fields.union(options), verb)
            raise UnknownNameError(f"{description} has no field {name!r}. {hint}")


def recipe_class_of(task_name: str) -> type[Recipe]:
    """Return the class of a task's recipes, which the task's module `recipe` defines."""
    module = task_module(task_name, "recipe")
    defined = [value for value in vars(module).values() if isinstance(value, type)]
    defined = [value for value in defined if value.__module__ == module.__name__]
    return next(value for value in reversed(defined) if issubclass(value, Recipe))


def load_recipe(path: Path, recipe_class: type[AnyRecipe]) -> AnyRecipe:
    """Read and check one recipe file.

    Args:
        path: The file.
        recipe_class: The recipes of the task.

    Raises:
        SchemaError: The file has a mistake; the message names file, field and value.
    """
    return schema.convert(read_toml(path), recipe_class, where=str(path))


def fingerprint(path: Path) -> str:
    """Return the sha256 of the values in a recipe file; a comment does not change it."""
    table = read_toml(path)
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def parse_setting(text: str) -> tuple[str, Any]:
    """Split `"epochs=2"`, as the command line has it, into its name and its typed value.

    Raises:
        InvalidInputError: It is no such pair.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InvalidInputError(f"expected NAME=VALUE, such as epochs=2; received {text!r}")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()  # a bare word is a string
