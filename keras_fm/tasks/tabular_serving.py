"""The signatures of exported models of tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from keras_fm.lazy_imports import tf
from keras_fm.models.backbone import backbone
from keras_fm.preprocessing.tables.checks import check_cells, check_outputs
from keras_fm.preprocessing.tables.columns import Columns, parsed_columns, plain_names
from keras_fm.preprocessing.tables.encoding import ColumnEncoder
from keras_fm.preprocessing.tables.parsers import expected_strings
from keras_fm.tasks.base import Signature, Signatures
from keras_fm.tasks.tabular import TabularData

PARITY_EXAMPLES = 256


def tabular_signatures(
    data: TabularData, model: keras.Model, outputs: Callable[[tf.Tensor], dict[str, tf.Tensor]]
) -> Signatures:
    """Return `serving_default` and `features`: each column by its sanitized name, `[batch]`.

    NaN is a missing number. An infinite one is an error, and so is a row whose numbers are so far
    from those of the training that there is no finite prediction.

    Args:
        data: The task's data.
        model: The model.
        outputs: From the model's outputs to named ones.
    """
    encoder = ColumnEncoder(data.columns)
    names = plain_names(data.columns)
    embed = backbone(model)

    def with_checks(serve: Callable[[Any], dict[str, tf.Tensor]]) -> Any:
        def checked(columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            columns = check_cells(columns, data.columns)
            encoded = encoder({name: columns[names[name]] for name in names})
            return check_outputs(serve(encoded), columns, data.columns)

        return checked

    def serving_default(encoded: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return outputs(model(encoded, training=False))

    def features(encoded: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"embedding": tf.cast(embed(encoded, training=False), tf.float32)}

    specs = {
        names[column.name]: tf.TensorSpec(
            (None,), tf.as_dtype(column.dtype), name=names[column.name]
        )
        for column in data.columns
    }
    rows = data.sample_rows(PARITY_EXAMPLES)
    sample = {names[name]: column for name, column in rows.items()}
    example = {name: column[:1] for name, column in sample.items()}
    note = _describe_inputs(data.columns, names)
    by_name = {
        name: Signature(with_checks(serve), [specs], example, parity_inputs=sample, note=note)
        for name, serve in (("serving_default", serving_default), ("features", features))
    }
    return Signatures(by_name, list(encoder.lookup_tables.values()))


def _describe_inputs(columns: Columns, names: dict[str, str]) -> str:
    """Say which input is which column, where their names differ, and which are dates."""
    renamed = [f"`{plain}` is {name!r}" for name, plain in names.items() if plain != name]
    notes = [f"Columns by the names of inputs: {', '.join(renamed)}."] if renamed else []
    notes += [
        f"`{names[column.name]}` is {expected_strings(column)}."
        for column in parsed_columns(columns)
    ]
    return " ".join(notes)
