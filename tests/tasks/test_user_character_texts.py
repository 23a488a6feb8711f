"""A character model is trained on other texts, and on a user's own text."""

import helpers
import keras
import numpy as np
import pytest
import tensorboard_logs
import tensorflow as tf

from keras_fm import cli, pipelines, registry, store
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.evaluation import evaluation
from keras_fm.exporting import saved_model
from keras_fm.models import loading, run_files, transfer, weights
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks.base import task_of
from keras_fm.training import training


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A text of characters that tiny_shakespeare does not have."""
    file = tmp_path_factory.mktemp("book") / "book.txt"
    file.write_text("äöü ñ🙂\n" * 300 + "ß", "utf-8")
    return file


@pytest.fixture(scope="module")
def small_models(module_install):
    """A small char_lstm, and a small char_lstm_reviews whose weights it starts from."""
    site = module_install(
        {name: f"their_zoo.{name}" for name in ("small_char_lstm", "small_char_lstm_reviews")}
    )
    size = {"units": 16, "width": 8, "depth": 1}
    package, source = site / "small_char_lstm", site / "small_char_lstm_reviews"
    helpers.write_small_package(package, "char_lstm", **size)
    entry = (package / "entry.toml").read_text("utf-8")
    (package / "entry.toml").write_text(f'init_from = "{source.name}"\n{entry}', "utf-8")
    helpers.write_small_package(source, "char_lstm_reviews", **size)
    registry.clear_cache()
    (source / "weights").mkdir()
    file = source / "weights" / "first.weights.h5"
    keras.utils.set_random_seed(1)
    weights.save_weights(loading.get(source.name, weights=None), file)
    helpers.write_record(source, sha256=store.sha256_of(file))


@pytest.fixture(scope="module")
def run(small_models, book):
    """Two epochs on the book."""
    return training.train(
        "small_char_lstm", data=str(book), run_dir=book.parent / "run", epochs=2,
        learning_rate=0.1, sequence_length=16, precision="float32", init_from="random",
    )  # fmt: skip


def test_many_texts_are_concatenated():
    task = ModelSpec.of(registry.find("char_lstm_reviews")[0]).task
    reviews = Examples(np.array([b"A <br />b", "ñ".encode()], object), np.zeros(2), "reviews")
    examples = task.data.prepare_dataset(reviews)
    assert "".join(map(chr, [*examples.inputs, examples.targets[-1]])) == "A \nb\n\nñ"
    task.data.check(examples)
    assert task.data.prepare_dataset(examples) is examples


def test_char_lstm_can_start_from_char_lstm_reviews():
    source, target = loading.get("char_lstm_reviews"), loading.get("char_lstm", weights=None)
    assert target.keras_fm_spec.entry.init_from == "char_lstm_reviews"
    transfer.transfer_weights(source, target)
    assert helpers.same_weights(source, target)


@pytest.mark.thorough
def test_a_training_on_its_own_dataset_starts_from_init_from(small_models, tmp_path, monkeypatch):
    text = datasets.sample("tiny_shakespeare").subset(slice(1200), "1200 characters")
    monkeypatch.setattr(datasets, "load", lambda dataset, split: text)
    run = training.train(
        "small_char_lstm", data="sample", run_dir=tmp_path / "run", epochs=1, learning_rate=1e-12,
        validation_examples=100,
    )  # fmt: skip
    source = loading.get("small_char_lstm_reviews")
    for initial, trained in zip(source.weights, run.model.weights, strict=True):
        np.testing.assert_allclose(initial, trained, atol=1e-6)
    assert "initialized from small_char_lstm_reviews" in run.report()


@pytest.mark.thorough
def test_a_text_of_other_characters_starts_from_the_weights_of_those_both_models_have(
    small_models, book, tmp_path
):
    file = book.with_name("mixed.txt")
    file.write_text("the \nñ" * 50, "utf-8")
    source_model = loading.get("small_char_lstm_reviews")
    run = training.train(
        "small_char_lstm", data=file, run_dir=tmp_path / "run", epochs=1, learning_rate=1e-12
    )
    characters, source_characters = (
        task_of(model).data.characters for model in (run.model, source_model)
    )
    assert characters == ["\n", " ", "e", "h", "t", "ñ"]
    source_ids = [0, *(1 + source_characters.index(name) for name in characters[:-1])]
    for layer in (layer for layer in source_model.layers if layer.weights):
        weights = run.model.get_layer(layer.name).get_weights()
        for source, trained in zip(layer.get_weights(), weights, strict=True):
            if layer.name == "token_embedding":
                source, trained = source[source_ids], trained[:-1]
            elif layer.name == "logits":
                source, trained = source[..., source_ids], trained[..., :-1]
            np.testing.assert_allclose(trained, source, atol=1e-6)
    wide = loading.get("char_lstm", weights=None)
    with pytest.raises(InvalidInputError, match="layer 'token_embedding' has other shapes"):
        transfer.transfer_weights(run.model, wide)


def test_a_users_text_gives_the_vocabulary_and_is_learned(run, book):
    assert task_of(run.model).data.characters == ["\n", " ", "ä", "ñ", "ö", "ü", "🙂"]
    assert run.metrics["bits_per_character"] < run.baseline["bits_per_character"] / 2
    run_info = run_files.read_run(run.path)
    (note,) = run_info["notes"]
    assert note == "7 different characters; of 2,100 characters 1 is unknown"
    assert "validation_examples = 210" in (run.path / "recipe.toml").read_text()
    metrics = evaluation.evaluate(run.model, data=book)
    assert metrics["num_examples"] == 2100
    with pytest.raises(DataError, match="trained on other data than tiny_shakespeare"):
        evaluation.evaluate(run.model)


@pytest.mark.thorough
def test_it_generates_and_serves_characters_of_the_text(run, tmp_path):
    (prediction,) = pipelines.pipeline(run.model)("äöü ", length=12, temperature=0)
    assert set(prediction["text"]) <= set(task_of(run.model).data.characters)
    served = tf.saved_model.load(str(saved_model.export(run.model, tmp_path)))
    texts = helpers.generate(served, ["äöü "], length=12, temperature=0.0)
    assert texts == [prediction["text"]]


def test_tensorboard_shows_a_generated_text_of_each_epoch(run):
    events = tensorboard_logs.read_events(run.path / "logs" / "train").Tensors("5_generated")
    texts = [event.tensor_proto.string_val[0].decode() for event in events]
    assert len(texts) == 2
    assert all(len(text) == 300 + len("```\n\n```") for text in texts)
    tensorboard_logs.check_board(
        run.path,
        {"1_loss/loss", "4_speed/windows_per_second"},
        {"1_loss/loss", "5_result/bits_per_character"},
    )


def test_a_text_has_no_target(book):
    with pytest.raises(InvalidInputError, match="a text has no columns"):
        training.train("char_lstm", data=str(book), target="x")


def test_a_text_whose_characters_come_once_is_an_error(tmp_path):
    (tmp_path / "abc.txt").write_text("abcdef")
    with pytest.raises(DataError, match="nothing to learn"):
        training.train("char_lstm", data=str(tmp_path / "abc.txt"), run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_command_line_continues_a_prompt(run, capsys):
    arguments = ["predict", str(run.path), "äöü", "--length", "5", "--temperature", "0"]
    assert cli.main(arguments) == 0
    (prediction,) = pipelines.pipeline(run.model)("äöü", length=5, temperature=0)
    assert capsys.readouterr().out == f"äöü{prediction['text']}\n"
    assert cli.main([*arguments, "--seed", "-1"]) == 2
    assert "seed is a whole number" in capsys.readouterr().err
