"""The space of a search: which values of which recipe fields are tried."""

import math
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from keras_fm.errors import SchemaError
from keras_fm.options import to_python
from keras_fm.registry import schema
from keras_fm.registry.recipe import Recipe
from keras_fm.registry.schema import Struct
from keras_fm.registry.toml import read_toml

SPACES = Path(__file__).parent / "spaces"
# Fields of these stages stand in a table of their own: [head], or head.learning_rate = {...}.
STAGES = ("head", "pretraining")
_EXAMPLE = "learning_rate = {low = 1e-4, high = 1e-2, log = true}"
_DIGITS = 4  # of a number that is tried: enough, and readable in a command
# Trials that differ in one of these are not validated on the same examples.
_OF_VALIDATION = ("dataset", "folds", "validation_examples")


class FieldSpace(Struct, frozen=True, kw_only=True):
    """The values of one field: a range, or choices.

    Attributes:
        low: The lowest value.
        high: The highest value.
        step: Between neighboring values; None for any number in the range.
        log: Whether values are drawn by their logarithm: as many from 0.001 to 0.01 as to 0.1.
        relative: Whether low and high are multiples of the recipe's own value.
        choices: The values, instead of a range.
    """

    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = None
    log: bool = False
    relative: bool = False
    choices: list[bool | int | float | str] | None = None

    def draw(self, rng: random.Random) -> Any:
        """Return one of the values."""
        if self.choices is not None:
            return rng.choice(self.choices)
        low, high = self._bounds()
        if isinstance(low, int) and isinstance(high, int):
            return rng.randrange(low, high + 1, int(self.step or 1))
        if self.log:
            return self.rounded(math.exp(rng.uniform(math.log(low), math.log(high))))
        if self.step is not None:
            return self.rounded(low + self.step * rng.randint(0, round((high - low) / self.step)))
        return self.rounded(rng.uniform(low, high))

    def rounded(self, value: Any) -> Any:
        """Return a value with four digits, which is still in the range."""
        if not isinstance(value, float) or self.choices is not None:
            return value
        low, high = self._bounds()
        return min(max(float(f"{value:.{_DIGITS}g}"), low), high)

    def clipped(self, value: Any) -> Any | None:
        """Return the nearest value; None where it is no number and none of the choices."""
        if self.choices is not None:
            return value if value in self.choices else None
        low, high = self._bounds()
        value = min(max(value, low), high)
        if self.step is not None:
            value = type(low)(low + round((value - low) / self.step) * self.step)
        return value

    def _bounds(self) -> tuple[Any, Any]:
        assert self.low is not None, "a checked range has both bounds"
        assert self.high is not None, "a checked range has both bounds"
        return self.low, self.high


@dataclass(frozen=True)
class Space:
    """The fields of a search.

    Attributes:
        where: What the errors call it: its file.
        fields: By name; a field of a stage has `head.` or `pretraining.` in front.
    """

    where: str
    fields: Mapping[str, FieldSpace]

    def check(self, recipe_classes: Mapping[str, Sequence[type[Recipe]]]) -> "Space":
        """Return the space with numbers of the fields' types.

        Args:
            recipe_classes: The recipes that may have a field, by stage; "" is the main one. Names
                are checked already.

        Raises:
            SchemaError: A range is empty, or a value does not fit its field.
        """
        checked = {}
        for name, field in self.fields.items():
            stage, _, plain = name.rpartition(".")
            classes = recipe_classes[stage]
            field_type = next(
                info.type
                for recipe_class in classes
                for info in msgspec.structs.fields(recipe_class)
                if info.name == plain
            )
            checked[name] = _check_field(f"{self.where}: {name}", plain, field, field_type)
        return Space(self.where, checked)

    def resolve(self, base: Mapping[str, Any]) -> "Space":
        """Return the space in which no range is relative.

        Args:
            base: The values of the recipe.

        Raises:
            SchemaError: The recipe has none, or 0, where a range is relative.
        """
        resolved = {}
        for name, field in self.fields.items():
            if field.relative:
                value = base.get(name)
                if not value:
                    raise SchemaError(
                        f"{self.where}: {name}: a relative range is a multiple of the recipe's "
                        f"value, which is {value!r}: leave out relative"
                    )
                low, high = (float(f"{bound * value:.{_DIGITS}g}") for bound in field._bounds())
                field = msgspec.structs.replace(field, low=low, high=high, relative=False)
            resolved[name] = field
        return Space(self.where, resolved)

    def draw(self, rng: random.Random) -> dict[str, Any]:
        """Return a value for each field."""
        return {name: field.draw(rng) for name, field in self.fields.items()}

    def nearest(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """Return for each field the value nearest to a recipe's, if there is one."""
        values = {
            name: field.clipped(base[name]) for name, field in self.fields.items() if name in base
        }
        return {name: value for name, value in values.items() if value is not None}

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return what was said of each field."""
        default = msgspec.to_builtins(FieldSpace())
        return {
            name: {
                key: value
                for key, value in msgspec.to_builtins(field).items()
                if value != default[key]
            }
            for name, field in self.fields.items()
        }


def default_space(task_name: str) -> Path:
    """Return the file of a task's space."""
    return SPACES / f"{task_name}.toml"


def read_space(space: str | os.PathLike[str] | Mapping[str, Any]) -> Space:
    """Read a space: a TOML file, or the same as a dict.

    Raises:
        SchemaError: It is none.
    """
    if isinstance(space, Mapping):
        where, table = "space", dict(space)
    elif isinstance(space, (str, os.PathLike)):
        where, table = str(space), read_toml(Path(space))
    else:
        raise SchemaError(f"space: expected a TOML file or a dict; received {space!r}")
    fields = {name: _read_field(where, name, value) for name, value in _flat(table).items()}
    if not fields:
        raise SchemaError(f"{where}: expected a range for each field, such as {_EXAMPLE}; has none")
    return Space(where, fields)


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if name in STAGES and isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": inner_value for inner, inner_value in value.items()}
        else:
            flat[str(name)] = value
    return flat


def _read_field(where: str, name: str, value: Any) -> FieldSpace:
    if not isinstance(value, Mapping):
        raise SchemaError(
            f"{where}: {name}: expected {{low = ..., high = ...}} or {{choices = [...]}}; received "
            f"{value!r}. A value for all trials is no part of the space: --set {name}=..."
        )
    table = {
        key: [*map(to_python, item)] if isinstance(item, (list, tuple)) else to_python(item)
        for key, item in value.items()
    }
    return schema.convert(table, FieldSpace, where=f"{where}: {name}")


def _check_field(where: str, name: str, field: FieldSpace, field_type: Any) -> FieldSpace:
    if name in _OF_VALIDATION:
        raise SchemaError(
            f"{where}: trials are compared on the same validation examples; choose one value for "
            f"all of them: --set {name}=..."
        )
    if field.choices is not None:
        return _check_choices(where, field, field_type)
    info = msgspec.inspect.type_info(field_type)
    if not isinstance(info, (msgspec.inspect.IntType, msgspec.inspect.FloatType)):
        raise SchemaError(f"{where}: expected {{choices = [...]}}, for its values are no numbers")
    if field.low is None or field.high is None:
        received = ", ".join(key for key in ("low", "high") if getattr(field, key) is not None)
        raise SchemaError(f"{where}: expected low and high; received {received or 'neither'}")
    is_int = isinstance(info, msgspec.inspect.IntType)
    if field.relative:
        if is_int:
            raise SchemaError(f"{where}: relative is for numbers with a fraction; leave it out")
        field_type = float  # what the multiples come to is checked with the recipe
    low, high = (_convert(where, bound, field_type) for bound in (field.low, field.high))
    if not low < high:
        raise SchemaError(f"{where}: expected low below high; received {low} and {high}")
    if (field.log or field.relative) and low <= 0:
        word = "log" if field.log else "relative"
        raise SchemaError(f"{where}: expected low above 0 with {word} = true; received {low}")
    step = field.step
    if step is not None:
        step = _check_step(where, field, low, high, is_int=is_int)
    return msgspec.structs.replace(field, low=low, high=high, step=step)


def _check_step(where: str, field: FieldSpace, low: Any, high: Any, *, is_int: bool) -> Any:
    if field.log or field.relative:
        word = "log" if field.log else "relative"
        raise SchemaError(f"{where}: a range has a step or {word} = true, not both")
    step = _convert(where, field.step, int if is_int else float)
    if step <= 0:
        raise SchemaError(f"{where}: expected a step above 0; received {step}")
    count = (high - low) / step
    if count < 1 or not math.isclose(count, round(count), rel_tol=1e-9):
        raise SchemaError(
            f"{where}: expected high to be low plus a multiple of step; received low = {low}, "
            f"high = {high}, step = {step}"
        )
    return step


def _check_choices(where: str, field: FieldSpace, field_type: Any) -> FieldSpace:
    others = (field.low, field.high, field.step)
    if field.log or field.relative or any(other is not None for other in others):
        raise SchemaError(f"{where}: expected a range or choices; received both")
    choices = [_convert(where, choice, field_type) for choice in field.choices or ()]
    if len(choices) < 2 or len({*map(repr, choices)}) < len(choices):
        raise SchemaError(
            f"{where}: expected two or more different choices; received {field.choices}"
        )
    return msgspec.structs.replace(field, choices=choices)


def _convert(where: str, value: Any, field_type: Any) -> Any:
    """Return a value of the field's type, checked as in a recipe."""
    try:
        converted = msgspec.convert(value, field_type)
    except msgspec.ValidationError as error:
        complaint = str(error)
        raise SchemaError(
            f"{where}: {complaint[0].lower()}{complaint[1:]}; received {value!r}"
        ) from None
    if isinstance(converted, float) and not math.isfinite(converted):
        raise SchemaError(f"{where}: expected a finite number; received {value!r}")
    return converted
