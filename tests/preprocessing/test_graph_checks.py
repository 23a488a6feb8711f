"""The checks of a served graph in the loader of a server, which lets any shape through."""

import numpy as np
import pytest
import tensorflow as tf

from keras_fm.errors import ExportError
from keras_fm.exporting.session import Session
from keras_fm.preprocessing import graph_checks


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """`serve(function, specs)`: returns the function as a loaded graph, from arrays to arrays."""
    sessions = []

    def start(function, specs):
        folder = tmp_path_factory.mktemp("served")
        graph = tf.function(function, input_signature=specs)
        tf.saved_model.save(tf.Module(), str(folder), {"serving_default": graph})
        session = Session(folder)
        sessions.append(session)
        return lambda **inputs: session.run("serving_default", inputs)

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
def run_scores(serve):
    """`scores` with checks of its inputs."""
    return serve(graph_checks.with_shape_checks(scores, SPECS), SPECS)


@pytest.fixture(scope="module")
def run_votes(serve):
    """Which votes are yes, with a check that each is yes or no."""
    spec = tf.TensorSpec((None,), tf.string, name="vote")

    def votes(vote):
        condition = (vote == "yes") | (vote == "no")
        vote = graph_checks.assert_rows(vote, condition, "vote", "yes or no", lambda: vote)
        return {"yes": vote == "yes"}

    return serve(votes, [spec])


@pytest.mark.parametrize(
    ("latent", "kind", "message"),
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
def test_other_shapes_are_named(latent, kind, message, run_scores):
    rows = np.float32(1) if kind is None else np.ones(kind, "float32")
    with pytest.raises(ExportError) as error:
        run_scores(latent=np.ones(latent, "float32"), kind=rows)
    assert str(error.value).startswith(f"assertion failed: [{message}]")
    assert error.value.code == tf.errors.INVALID_ARGUMENT


@pytest.mark.parametrize("shape", [(2, 1, 3), (1, 9, 3), (0, 4, 3), (0, 0, 3)])
def test_matching_shapes_pass(shape, run_scores):
    outputs = run_scores(latent=np.ones(shape, "float32"), kind=np.zeros(shape[0], "float32"))
    np.testing.assert_array_equal(outputs["score"], np.full(shape[0], 3 * shape[1]))


def test_without_checks_a_wrong_shape_has_outputs(serve):
    """The reason for the checks: the loader does not check shapes."""
    run = serve(scores, SPECS)
    outputs = run(latent=np.ones((2, 4, 2), "float32"), kind=np.zeros(1, "float32"))
    assert outputs["score"].tolist() == [8, 8]


def test_a_single_row_is_broadcast(serve):
    run = serve(graph_checks.with_shape_checks(scores, SPECS, broadcast_inputs=("kind",)), SPECS)
    latent = np.ones((2, 1, 3), "float32")
    assert run(latent=latent, kind=np.ones(1, "float32"))["score"].tolist() == [4, 4]
    with pytest.raises(ExportError, match="as many rows"):
        run(latent=latent, kind=np.ones(3, "float32"))


def test_the_columns_of_a_table_are_checked_by_name(serve):
    columns = {name: tf.TensorSpec((None,), tf.float32, name=name) for name in ("b", "a")}

    def subtract(columns):
        return {"difference": columns["a"] - columns["b"]}

    run = serve(graph_checks.with_shape_checks(subtract, [columns]), [columns])
    assert run(a=np.full(2, 5, "float32"), b=np.ones(2, "float32"))["difference"].tolist() == [4, 4]
    with pytest.raises(ExportError, match=r"b: expected float32 \[any\]; received \[2, 1\]"):
        run(a=np.ones(2, "float32"), b=np.ones((2, 1), "float32"))


@pytest.mark.parametrize(
    ("votes", "message"),
    [
        ([b"yes", b"perhaps", b"never"], "vote, row 1: expected yes or no; received perhaps"),
        ([b"x" * 10**6], f"vote, row 0: expected yes or no; received {'x' * 60}]"),
        ([b"no", b""], "vote, row 1: expected yes or no; received ]"),
        ([b"a\xff\0"], "vote, row 0: expected yes or no; received a"),
    ],
)
def test_the_first_wrong_row_is_named(votes, message, run_votes):
    with pytest.raises(ExportError) as error:
        run_votes(vote=np.array(votes, object))
    assert message in str(error.value)
    assert len(str(error.value)) < 400


def test_right_rows_pass(run_votes):
    assert run_votes(vote=np.array([b"yes", b"no"], object))["yes"].tolist() == [True, False]
    assert run_votes(vote=np.array([], object))["yes"].tolist() == []


def test_no_output_is_computed_from_a_check():
    """So a converter that drops control dependencies drops the checks."""
    checked = tf.function(graph_checks.with_shape_checks(scores, SPECS), input_signature=SPECS)
    graph = checked.get_concrete_function().graph
    reached, pending = set(), [tensor.op for tensor in graph.outputs]
    while pending:
        operation = pending.pop()
        if operation.name not in reached:
            reached.add(operation.name)
            pending += [tensor.op for tensor in operation.inputs]
    kinds = {graph.get_operation_by_name(name).type for name in reached}
    assert "PlaceholderWithDefault" not in kinds
    assert not {kind for kind in kinds if "If" in kind or kind == "Assert"}
