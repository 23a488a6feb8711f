"""A model of characters learns: from other texts, and from a text of the user's own."""

import helpers
import numpy as np
import pytest
import tensorflow as tf

from keras_fm import cli, pipelines, registry
from keras_fm.data import examples
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.evaluation import evaluation
from keras_fm.exporting import saved_model
from keras_fm.models import building, loading, run_files, spec, transfer
from keras_fm.tasks.base import task_of
from keras_fm.training import training


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A text in letters that tiny_shakespeare does not have."""
    file = tmp_path_factory.mktemp("book") / "book.txt"
    file.write_text("äöü ñ🙂\n" * 300 + "ß", "utf-8")
    return file


@pytest.fixture(scope="module")
def run(book):
    small = building.build
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "build", lambda *given: small(*given, units=16, width=8, depth=1))
        yield training.train(
            "char_lstm", data=str(book), run_dir=book.parent / "run", epochs=2, learning_rate=0.1,
            sequence_length=16, precision="float32", init_from="random",
        )  # fmt: skip


def test_many_texts_are_read_as_one():
    task = task_of(spec.default_spec(registry.find("char_lstm_reviews")[0]))
    reviews = examples.Examples(
        np.array([b"A <br />b", "ñ".encode()], object), np.zeros(2), "reviews"
    )
    read = task.data.prepare_dataset(reviews)
    assert "".join(map(chr, [*read.inputs, read.targets[-1]])) == "A \nb\n\nñ"
    task.data.check(read)
    assert task.data.prepare_dataset(read) is read


def test_a_training_on_its_own_text_starts_from_what_knows_reviews(tmp_path):
    started = training.train(
        "char_lstm", data="sample", run_dir=tmp_path / "run", epochs=1, learning_rate=1e-12
    )
    reviews = loading.get("char_lstm_reviews")
    for before, after in zip(reviews.weights, started.model.weights, strict=True):
        np.testing.assert_allclose(before, after, atol=1e-6)
    assert "started from char_lstm_reviews" in started.report()


def test_a_text_of_other_characters_goes_on_with_those_that_both_know(book, tmp_path):
    book.with_name("mixed.txt").write_text("the \nñ" * 500, "utf-8")
    reviews = loading.get("char_lstm_reviews")
    started = training.train(
        "char_lstm", data=book.with_name("mixed.txt"), run_dir=tmp_path / "run", epochs=1,
        learning_rate=1e-12,
    )  # fmt: skip
    known, theirs = (task_of(one).known for one in (started.model, reviews))
    assert known == ["\n", " ", "e", "h", "t", "ñ"]
    places = [0, *(1 + theirs.index(character) for character in known[:-1])]
    for layer, own in ((x, started.model.get_layer(x.name)) for x in reviews.layers if x.weights):
        for old, new in zip(layer.get_weights(), own.get_weights(), strict=True):
            if layer.name == "token_embedding":
                old, new = old[places], new[:-1]
            elif layer.name == "logits":
                old, new = old[..., places], new[..., :-1]
            np.testing.assert_allclose(new, old, atol=1e-6)
    wider = loading.get("char_lstm", weights=None, width=8)
    with pytest.raises(InvalidInputError, match="layer 'token_embedding' has other shapes"):
        transfer.transfer_weights(started.model, wider)


def test_it_learns_from_a_text_of_the_users_own(run, book):
    assert task_of(run.model).known == ["\n", " ", "ä", "ñ", "ö", "ü", "🙂"]
    assert run.metrics["bits_per_character"] < run.baseline["bits_per_character"] / 2
    about = run_files.read_run(run.path)
    assert about["notes"] == ["7 different characters, 1 others count as unknown"]
    recipe = (run.path / "recipe.toml").read_text()
    assert "validation_examples = 210" in recipe
    scores = evaluation.evaluate(run.model, data=book)
    assert scores["num_examples"] == 2100
    with pytest.raises(DataError, match="learned from other data than tiny_shakespeare"):
        evaluation.evaluate(run.model)


def test_it_writes_and_serves_its_own_characters(run, tmp_path):
    (answer,) = pipelines.pipeline(run.model)("äöü ", length=12, temperature=0)
    assert set(answer["text"]) <= set(task_of(run.model).known)
    served = tf.saved_model.load(str(saved_model.export(run.model, tmp_path)))
    assert helpers.generate(served, ["äöü "], length=12, temperature=0.0) == [answer["text"]]


def test_each_epoch_shows_a_text(run):
    written = [
        value.tensor.string_val[0].decode()
        for file in sorted((run.path / "logs" / "train").glob("*"))
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
        if value.tag == "written"
    ]
    assert len(written) == 2
    assert all(len(text) == 300 + len("```\n\n```") for text in written)


def test_a_text_has_no_target(book):
    with pytest.raises(InvalidInputError, match="a text has no columns"):
        training.train("char_lstm", data=str(book), target="x")


def test_a_text_without_anything_to_learn(tmp_path):
    (tmp_path / "abc.txt").write_text("abcdef")
    with pytest.raises(DataError, match="nothing to learn"):
        training.train("char_lstm", data=str(tmp_path / "abc.txt"), run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_command_line_writes_on(run, capsys):
    arguments = ["predict", str(run.path), "äöü", "--length", "5", "--temperature", "0"]
    assert cli.main(arguments) == 0
    (answer,) = pipelines.pipeline(run.model)("äöü", length=5, temperature=0)
    assert capsys.readouterr().out == f"äöü{answer['text']}\n"
    assert cli.main([*arguments, "--seed", "-1"]) == 2
    assert "seed is a whole number" in capsys.readouterr().err
