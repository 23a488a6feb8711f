"""The checks of a served graph, where a server loads it: it takes any shape, so they have to."""

import numpy as np
import pytest
import tensorflow as tf

from keras_fm.errors import ExportError
from keras_fm.exporting.session import Session
from keras_fm.preprocessing import graph_checks


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """`serve(answer, inputs)`: a function from arrays to what the loaded graph answers."""
    sessions = []

    def start(answer, inputs):
        folder = tmp_path_factory.mktemp("served")
        function = tf.function(answer, input_signature=inputs)
        tf.saved_model.save(tf.Module(), str(folder), {"serving_default": function})
        session = Session(folder)
        sessions.append(session)
        return lambda **given: session.run("serving_default", given)

    yield start
    for session in sessions:
        session.__exit__(None, None, None)


def scores(latent, kind):
    return {"score": tf.reduce_sum(latent, [1, 2]) + kind}


SPECS = [
    tf.TensorSpec((None, None, 3), tf.float32, name="latent"),
    tf.TensorSpec((None,), tf.float32, name="kind"),
]


@pytest.fixture(scope="module")
def ask(serve):
    """The scores, of what fits alone."""
    return serve(graph_checks.with_shape_checks(scores, SPECS), SPECS)


@pytest.fixture(scope="module")
def count(serve):
    """Which votes are yes, where each is yes or no."""
    spec = tf.TensorSpec((None,), tf.string, name="vote")

    def count(vote):
        holds = (vote == "yes") | (vote == "no")
        vote = graph_checks.assert_rows(vote, holds, "vote", "yes or no", lambda: vote)
        return {"yes": vote == "yes"}

    return serve(count, [spec])


@pytest.mark.parametrize(
    ("latent", "kind", "sentence"),
    [
        ((2, 4), 2, "latent: expected float32 [any, 1 or more, 3]; received [2, 4]"),
        ((2, 4, 3, 1), 2, "latent: expected float32 [any, 1 or more, 3]; received [2, 4, 3, 1]"),
        ((2, 4, 2), 2, "latent: expected float32 [any, 1 or more, 3]; received [2, 4, 2]"),
        ((2, 0, 3), 2, "latent: expected float32 [any, 1 or more, 3]; received [2, 0, 3]"),
        ((), 2, "latent: expected float32 [any, 1 or more, 3]; received []"),
        ((2, 4, 3), None, "kind: expected float32 [any]; received []"),
        ((2, 4, 3), 1, "expected as many rows in each input; received latent [2, 4, 3], kind [1]"),
        ((1, 4, 3), 2, "expected as many rows in each input; received latent [1, 4, 3], kind [2]"),
        ((0, 4, 3), 1, "expected as many rows in each input; received latent [0, 4, 3], kind [1]"),
    ],
)
def test_other_shapes_are_named(latent, kind, sentence, ask):
    rows = np.float32(1) if kind is None else np.ones(kind, "float32")
    with pytest.raises(ExportError) as error:
        ask(latent=np.ones(latent, "float32"), kind=rows)
    assert str(error.value).startswith(f"assertion failed: [{sentence}]")
    assert error.value.code == tf.errors.INVALID_ARGUMENT


@pytest.mark.parametrize("shape", [(2, 1, 3), (1, 9, 3), (0, 4, 3), (0, 0, 3)])
def test_what_fits_passes(shape, ask):
    answers = ask(latent=np.ones(shape, "float32"), kind=np.zeros(shape[0], "float32"))
    np.testing.assert_array_equal(answers["score"], np.full(shape[0], 3 * shape[1]))


def test_without_the_check_a_wrong_shape_is_answered(serve):
    """Why there is one: this loader believes what it is given."""
    ask = serve(scores, SPECS)
    answers = ask(latent=np.ones((2, 4, 2), "float32"), kind=np.zeros(1, "float32"))
    assert answers["score"].tolist() == [8, 8]


def test_one_row_may_stand_for_all(serve):
    ask = serve(graph_checks.with_shape_checks(scores, SPECS, shared=("kind",)), SPECS)
    latent = np.ones((2, 1, 3), "float32")
    assert ask(latent=latent, kind=np.ones(1, "float32"))["score"].tolist() == [4, 4]
    with pytest.raises(ExportError, match="as many rows"):
        ask(latent=latent, kind=np.ones(3, "float32"))


def test_the_columns_of_a_table_are_checked_by_name(serve):
    columns = {name: tf.TensorSpec((None,), tf.float32, name=name) for name in ("b", "a")}

    def add(given):
        return {"sum": given["a"] - given["b"]}

    ask = serve(graph_checks.with_shape_checks(add, [columns]), [columns])
    assert ask(a=np.full(2, 5, "float32"), b=np.ones(2, "float32"))["sum"].tolist() == [4, 4]
    with pytest.raises(ExportError, match=r"b: expected float32 \[any\]; received \[2, 1\]"):
        ask(a=np.ones(2, "float32"), b=np.ones((2, 1), "float32"))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([b"yes", b"perhaps", b"never"], "vote, row 1: expected yes or no; received perhaps"),
        ([b"x" * 10**6], f"vote, row 0: expected yes or no; received {'x' * 60}]"),
        ([b"no", b""], "vote, row 1: expected yes or no; received ]"),
        ([b"a\xff\0"], "vote, row 0: expected yes or no; received a"),
    ],
)
def test_the_first_row_that_does_not_hold_is_named(given, sentence, count):
    with pytest.raises(ExportError) as error:
        count(vote=np.array(given, object))
    assert sentence in str(error.value)
    assert len(str(error.value)) < 400


def test_rows_that_hold_pass(count):
    assert count(vote=np.array([b"yes", b"no"], object))["yes"].tolist() == [True, False]
    assert count(vote=np.array([], object))["yes"].tolist() == []


def test_no_answer_is_made_of_a_check():
    """So a converter that drops control dependencies drops it whole."""
    checked = tf.function(graph_checks.with_shape_checks(scores, SPECS), input_signature=SPECS)
    graph = checked.get_concrete_function().graph
    reached, waiting = set(), [tensor.op for tensor in graph.outputs]
    while waiting:
        operation = waiting.pop()
        if operation.name not in reached:
            reached.add(operation.name)
            waiting += [tensor.op for tensor in operation.inputs]
    kinds = {graph.get_operation_by_name(name).type for name in reached}
    assert "PlaceholderWithDefault" not in kinds
    assert not {kind for kind in kinds if "If" in kind or kind == "Assert"}
