"""What a served graph says to a request that it can't answer.

A server checks the names and the dtypes of the inputs, not their shapes or values: TensorFlow takes
an image of one channel for one of three. So the graph checks what it is given. The answer waits for
each check by a control dependency alone: what turns the graph into another format leaves them out.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import tensorflow as tf

_END = -2  # stands behind each shape where several lie in one vector
_SHOWN = 60  # bytes of a text that is refused


def assert_all(values: Any, holds: tf.Tensor, say: Callable[[], tf.Tensor]) -> Any:
    """The tensors `values` as they are, to be had only where `holds`.

    Args:
        values: one tensor, or lists and dicts of them.
        holds: bool, of the whole request.
        say: makes the sentence, string: which input, what was expected, what was received. Without
            quotation marks, which TensorFlow escapes. Only a request that is refused pays for it.

    Raises:
        tf.errors.InvalidArgumentError: the sentence, where `holds` is false.
    """

    def refuse() -> tf.Tensor:
        with tf.control_dependencies([tf.raw_ops.Assert(condition=False, data=[say()])]):
            return tf.constant(False)

    checked = tf.cond(holds, lambda: tf.constant(True), refuse)
    with tf.control_dependencies([checked]):
        return tf.nest.map_structure(tf.identity, values)


def assert_rows(
    values: Any, holds: tf.Tensor, name: str, expected: str, received: Callable[[], tf.Tensor]
) -> Any:
    """The same where it `holds` for every row, `[batch]`; of those that fail the first is named.

    Args:
        name: of the input.
        received: makes what each row is, strings or numbers `[batch]`.
    """

    def say() -> tf.Tensor:
        row, given = tf.argmin(tf.cast(holds, tf.int32)), received()
        texts = given if given.dtype == tf.string else as_text(given)
        return tf.strings.join(
            [
                f"{name}, row ",
                as_text(row),
                f": expected {expected}; received ",
                tf.strings.substr(texts[row], 0, _SHOWN),
            ]
        )

    return assert_all(values, tf.reduce_all(holds), say)


def as_text(numbers: tf.Tensor) -> tf.Tensor:
    """Numbers as strings, as short as they can be."""
    return tf.strings.as_string(numbers, shortest=numbers.dtype.is_floating)


def with_shape_checks(
    answer: Callable[..., Any], inputs: Sequence[Any], shared: Collection[str] = ()
) -> Callable[..., Any]:
    """`answer`, which refuses inputs of other shapes than theirs, and rows for one input alone.

    A size that is left open is 1 or more; that of the batch, the first, may be 0.

    Args:
        inputs: `tf.TensorSpec` with names, or dicts of them, as `answer` takes them.
        shared: the inputs of which one row may stand for all.
    """
    specs = tf.nest.flatten(list(inputs))

    def checked(*given: Any) -> Any:
        # Hidden, for the graph believes the specs: what they say of a shape is not looked up.
        shapes = [
            tf.shape(tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=tf.TensorShape(None)))
            for tensor in tf.nest.flatten(list(given))
        ]
        holds = _shapes_match(shapes, specs, shared)
        return answer(*assert_all(list(given), holds, lambda: _message(shapes, specs)))

    return checked


def _shapes_match(
    shapes: list[tf.Tensor], specs: list[tf.TensorSpec], shared: Collection[str] = ()
) -> tf.Tensor:
    """Whether each shape is one that its spec allows, and all have as many rows.

    The shapes lie in one vector: a few operations, also for a table of many columns.
    """
    sizes = [size for spec in specs for size in (*spec.shape, _END)]
    batches = [index for index in range(len(sizes)) if index == 0 or sizes[index - 1] == _END]
    parts = [part for shape in shapes for part in (shape, [_END])]
    given = tf.concat([*parts, tf.fill([len(sizes)], _END)], 0)[: len(sizes)]
    rows = tf.gather(given, batches)
    least = [0 if size is None else size for size in sizes]
    inside = [int(size is None and index not in batches) for index, size in enumerate(sizes)]
    fit = given >= least + inside * tf.sign(tf.reduce_max(rows))
    fit &= given <= [tf.int32.max if size is None else size for size in sizes]
    for_all = [spec.name in shared for spec in specs]
    alike = (rows == rows[for_all.index(False)]) | (for_all & (rows == 1))
    return tf.reduce_all(fit) & tf.reduce_all(alike)


def _message(shapes: list[tf.Tensor], specs: list[tf.TensorSpec]) -> tf.Tensor:
    """Which shape does not fit its spec, or that the rows are not as many in each."""
    written = [
        tf.strings.join(["[", tf.strings.reduce_join(as_text(shape), separator=", "), "]"])
        for shape in shapes
    ]
    fit = [
        tf.strings.regex_full_match(text, _pattern(spec))
        for text, spec in zip(written, specs, strict=True)
    ]
    expected = [f"{spec.name}: expected {_describe_spec(spec)}; received " for spec in specs]
    sentences = tf.strings.join([expected, tf.stack(written)])
    rows = tf.strings.join([[spec.name for spec in specs], tf.stack(written)], separator=" ")
    rows = tf.strings.reduce_join(rows, separator=", ")
    rows = tf.strings.join(["expected as many rows in each input; received ", rows])
    wrong = tf.argmin(tf.cast([*fit, False], tf.int32))
    return tf.concat([sentences, [rows]], 0)[wrong]


def _pattern(spec: tf.TensorSpec) -> str:
    """What the written shapes match that fit."""
    sizes = [str(size or (r"[1-9]\d*" if axis else r"\d+")) for axis, size in enumerate(spec.shape)]
    return rf"\[{', '.join(sizes)}\]"


def _describe_spec(spec: tf.TensorSpec) -> str:
    sizes = [str(size or ("1 or more" if axis else "any")) for axis, size in enumerate(spec.shape)]
    return f"{spec.dtype.name} [{', '.join(sizes)}]"
