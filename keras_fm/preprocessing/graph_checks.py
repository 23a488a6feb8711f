"""Checks of requests in a served graph, with messages that say what is wrong.

A server checks the names and the dtypes of the inputs, not their shapes or values: TensorFlow takes
an image of one channel for one of three. So the graph checks its inputs. Its outputs wait for each
check by a control dependency alone: a converter to another format drops the checks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from keras_fm.lazy_imports import tf

_END = -2  # behind each shape where several lie in one vector
_MAX_SHOWN_BYTES = 60  # of a text in a message


def assert_all(values: Any, condition: tf.Tensor, message: Callable[[], tf.Tensor]) -> Any:
    """Return the tensors `values`, computed only where `condition` holds.

    Args:
        values: A tensor, or lists and dicts of tensors.
        condition: Bool, of the whole request.
        message: Makes a sentence, string: which input, what was expected, what was received.
            Without quotation marks, which TensorFlow escapes. It runs for a refused request alone.

    Raises:
        tf.errors.InvalidArgumentError: With the message, where the condition is false.
    """

    def refuse() -> tf.Tensor:
        with tf.control_dependencies([tf.raw_ops.Assert(condition=False, data=[message()])]):
            return tf.constant(False)

    checked = tf.cond(condition, lambda: tf.constant(True), refuse)
    with tf.control_dependencies([checked]):
        return tf.nest.map_structure(tf.identity, values)


def assert_rows(
    values: Any, condition: tf.Tensor, name: str, expected: str, received: Callable[[], tf.Tensor]
) -> Any:
    """Return the tensors `values`, computed only where `condition` holds in all rows.

    Args:
        values: A tensor, or lists and dicts of tensors.
        condition: Bool `[batch]`.
        name: Of the input.
        expected: The values that the input can have.
        received: Makes the value of each row, strings or numbers `[batch]`.

    Raises:
        tf.errors.InvalidArgumentError: It names the first row where the condition is false.
    """

    def message() -> tf.Tensor:
        row, row_values = tf.argmin(tf.cast(condition, tf.int32)), received()
        texts = row_values if row_values.dtype == tf.string else as_text(row_values)
        return tf.strings.join(
            [
                f"{name}, row ",
                as_text(row),
                f": expected {expected}; received ",
                tf.strings.substr(texts[row], 0, _MAX_SHOWN_BYTES),
            ]
        )

    return assert_all(values, tf.reduce_all(condition), message)


def as_text(numbers: tf.Tensor) -> tf.Tensor:
    """Convert numbers to strings, as short as they can be."""
    return tf.strings.as_string(numbers, shortest=numbers.dtype.is_floating)


def with_shape_checks(
    function: Callable[..., Any], inputs: Sequence[Any], broadcast_inputs: Collection[str] = ()
) -> Callable[..., Any]:
    """Wrap a function of tensors to refuse other shapes, and inputs of different numbers of rows.

    An open dimension is 1 or more; the batch, the first one, can be 0.

    Args:
        function: Takes the tensors.
        inputs: The `tf.TensorSpec` of each argument, with a name, or dicts of them.
        broadcast_inputs: The names of the inputs of which a single row can stand for all.
    """
    specs = tf.nest.flatten(list(inputs))

    def checked(*arguments: Any) -> Any:
        # The placeholder hides the shapes: the graph would take them from the specs.
        shapes = [
            tf.shape(tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=tf.TensorShape(None)))
            for tensor in tf.nest.flatten(list(arguments))
        ]
        condition = _shapes_match(shapes, specs, broadcast_inputs)
        values = assert_all(list(arguments), condition, lambda: _shape_message(shapes, specs))
        return function(*values)

    return checked


def _shapes_match(
    shapes: list[tf.Tensor], specs: list[tf.TensorSpec], broadcast_inputs: Collection[str] = ()
) -> tf.Tensor:
    """Compute whether all shapes match their specs and have as many rows.

    The shapes lie in one vector: a few operations, also for a table of many columns.
    """
    sizes = [size for spec in specs for size in (*spec.shape, _END)]
    batch_axes = [index for index in range(len(sizes)) if index == 0 or sizes[index - 1] == _END]
    parts = [part for shape in shapes for part in (shape, [_END])]
    actual = tf.concat([*parts, tf.fill([len(sizes)], _END)], 0)[: len(sizes)]
    num_rows = tf.gather(actual, batch_axes)
    minima = [0 if size is None else size for size in sizes]
    is_open = [int(size is None and index not in batch_axes) for index, size in enumerate(sizes)]
    match = actual >= minima + is_open * tf.sign(tf.reduce_max(num_rows))
    match &= actual <= [tf.int32.max if size is None else size for size in sizes]
    can_broadcast = [spec.name in broadcast_inputs for spec in specs]
    same_rows = num_rows == num_rows[can_broadcast.index(False)]
    same_rows |= can_broadcast & (num_rows == 1)
    return tf.reduce_all(match) & tf.reduce_all(same_rows)


def _shape_message(shapes: list[tf.Tensor], specs: list[tf.TensorSpec]) -> tf.Tensor:
    """Say which shape does not match its spec, or that the inputs differ in rows."""
    written = [
        tf.strings.join(["[", tf.strings.reduce_join(as_text(shape), separator=", "), "]"])
        for shape in shapes
    ]
    matches = [
        tf.strings.regex_full_match(text, _shape_pattern(spec))
        for text, spec in zip(written, specs, strict=True)
    ]
    expected = [f"{spec.name}: expected {_describe_spec(spec)}; received " for spec in specs]
    sentences = tf.strings.join([expected, tf.stack(written)])
    rows = tf.strings.join([[spec.name for spec in specs], tf.stack(written)], separator=" ")
    rows = tf.strings.reduce_join(rows, separator=", ")
    rows = tf.strings.join(["expected as many rows in each input; received ", rows])
    index = tf.argmin(tf.cast([*matches, False], tf.int32))
    return tf.concat([sentences, [rows]], 0)[index]


def _shape_pattern(spec: tf.TensorSpec) -> str:
    """Build a regular expression of the written shapes that match."""
    sizes = [str(size or (r"[1-9]\d*" if axis else r"\d+")) for axis, size in enumerate(spec.shape)]
    return rf"\[{', '.join(sizes)}\]"


def _describe_spec(spec: tf.TensorSpec) -> str:
    sizes = [str(size or ("1 or more" if axis else "any")) for axis, size in enumerate(spec.shape)]
    return f"{spec.dtype.name} [{', '.join(sizes)}]"
