"""Rows of a table as a request to a server. Free of Keras and TensorFlow."""

from typing import Any

from keras_fm.preprocessing.tables.columns import find_column
from keras_fm.preprocessing.tables.inputs import read_rows, to_columns
from keras_fm.registry.entry import Input
from keras_fm.serving.codec import Arrays
from keras_fm.serving.signatures import Signature


def encode_rows(signature: Signature, inputs: Any) -> Arrays:
    """Encode rows of any kind as the columns that a signature names."""
    table = to_columns(inputs)
    for name in signature.inputs:
        column = find_column(name, table)
        if column is not None:
            table[name] = table[column]
    columns = [
        Input(name=name, dtype=tensor.dtype, shape=[], description="")
        for name, tensor in signature.inputs.items()
    ]
    return read_rows(table, columns)
