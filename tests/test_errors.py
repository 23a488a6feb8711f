import pytest

from keras_fm import errors


def test_the_middle_of_a_long_message_is_left_out():
    message = str(errors.InvalidInputError("begin " + "x" * 2_000_000 + " end"))
    assert len(message) < errors.MAX_MESSAGE + 100
    assert message.startswith("begin xxx")
    assert message.endswith("xxx end")
    assert "[1,997,010 characters]" in message


@pytest.mark.parametrize("error", [errors.DataError, errors.SchemaError, errors.UnknownNameError])
def test_other_messages_are_as_they_are(error):
    assert str(error("expected x; received y")) == "expected x; received y"
    assert str(error("x" * errors.MAX_MESSAGE)) == "x" * errors.MAX_MESSAGE


def test_a_long_name_is_not_compared_with_known_names():
    assert errors.suggest("mlp" * 1_000_000, ["mlp", "lstm"]) == "Known: lstm, mlp."
    assert errors.suggest("lsmt", ["mlp", "lstm"]) == "Did you mean 'lstm'?"
