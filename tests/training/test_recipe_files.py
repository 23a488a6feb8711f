"""`recipe`: a file instead of the model's recipe, or with changes of it."""

import tomllib

import helpers
import pytest

from keras_fm import cli
from keras_fm.errors import InvalidInputError, RunError, SchemaError, UnknownNameError
from keras_fm.training.fine_tuning import fine_tune
from keras_fm.training.fine_tuning_options import check_fine_tune
from keras_fm.training.train_arguments import check_train
from keras_fm.training.training import train

COMPLETE = """dataset = "cifar10"
epochs = 2
batch_size = 16
optimizer = "adam"
learning_rate = 0.002
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write


def recipe_of(run):
    return tomllib.loads((run.path / "recipe.toml").read_text())


def test_a_file_without_a_data_set_changes_fields_and_keyword_arguments_come_first(
    tiny_net, write, tmp_path
):
    file = write("learning_rate = 0.5\nweight_decay = 0.25\n")
    run = train("tiny_net", data="sample", recipe=file, learning_rate=0.125,
                run_dir=tmp_path / "run")  # fmt: skip
    recipe = recipe_of(run)
    assert (recipe["learning_rate"], recipe["weight_decay"]) == (0.125, 0.25)
    assert (recipe["optimizer"], recipe["precision"]) == ("sgd", "float32")  # the model's own


@pytest.mark.thorough
def test_a_file_of_the_models_folder_is_a_complete_recipe(tiny_net, tmp_path):
    (tiny_net / "laptop.toml").write_text(COMPLETE)
    run = train("tiny_net", data="sample", recipe="laptop", run_dir=tmp_path / "run")
    recipe = recipe_of(run)
    assert (recipe["optimizer"], recipe["epochs"]) == ("adam", 2)
    assert recipe["precision"] == "auto"  # a complete recipe leaves out what does nothing


@pytest.mark.thorough
def test_the_recipe_of_a_run_trains_the_same_again(tiny_net, tmp_path):
    first = train("tiny_net", data="sample", epochs=2, flip="random", run_dir=tmp_path / "first")
    file = first.path / "recipe.toml"
    second = train("tiny_net", data="sample", recipe=file, run_dir=tmp_path / "second")
    assert recipe_of(second) == recipe_of(first)
    assert helpers.same_weights(first.model, second.model)


@pytest.mark.thorough
def test_a_fine_tuning_takes_the_recipe_of_its_main_stage_and_changes_of_the_head(write, tmp_path):
    file = write(COMPLETE + "patience = 1\n[head]\nepochs = 1\n")
    run = fine_tune("cifar_cnn_basic", helpers.noise(24), class_names=[*"abc"], recipe=file,
                    epochs=1, run_dir=tmp_path / "run")  # fmt: skip
    recipe = recipe_of(run)
    assert (recipe["epochs"], recipe["optimizer"], recipe["learning_rate"]) == (1, "adam", 0.002)
    assert recipe["dataset"] == "yours"
    assert len(run.history["val_loss"]) == 1
    head = tomllib.loads((run.path / "head" / "recipe.toml").read_text())
    assert (head["epochs"], head["trainable"]) == (1, "head")
    assert head["learning_rate"] != 0.002


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3\n", r"mine.toml: unknown field 'epoch'. Did you mean 'epochs'"),
        ("epochs = -3\n", r"mine.toml: field 'epochs': .*received -3"),
        (COMPLETE + "token_dropout = 0.5\n", r"mine.toml: unknown field 'token_dropout'"),
        ("epochs = 1\n[pretraining]\nepochs = 2\n", r"mine.toml: table \[pretraining\]: this"),
        ("epochs = \n", r"mine.toml: not valid TOML"),
        ('dataset = "cifar10"\n', r"mine.toml: .*missing required field"),
    ],
    ids=["unknown", "value", "other-task", "stage", "toml", "incomplete"],
)
def test_a_mistake_names_the_file(write, text, message):
    with pytest.raises(SchemaError, match=message):
        check_train("cifar_cnn_basic", recipe=write(text))


def test_a_mistake_in_the_table_of_a_stage_names_the_file(write):
    with pytest.raises(SchemaError, match=r"mine.toml: unknown field 'epoch'"):
        check_train("mini_bert", recipe=write("[pretraining]\nepoch = 2\n"))
    with pytest.raises(SchemaError, match=r"mine.toml: unknown field 'epoch'"):
        check_fine_tune("cifar_cnn_basic", "photos", recipe=write("[head]\nepoch = 2\n"))


def test_a_recipe_that_is_not_there(tmp_path):
    with pytest.raises(UnknownNameError, match=r"has no recipe 'latop'.*A file of your own ends"):
        check_train("cifar_cnn_basic", recipe="latop")
    with pytest.raises(SchemaError, match=r"none.toml: can't be read \(No such file"):
        check_train("cifar_cnn_basic", recipe=tmp_path / "none.toml")


def test_the_recipe_of_a_users_own_data_needs_such(write):
    file = write(COMPLETE.replace("cifar10", "yours"))
    with pytest.raises(
        InvalidInputError, match=r"is the recipe of a training on a user's own data"
    ):
        check_train("cifar_cnn_basic", recipe=file)


def test_a_resumed_training_keeps_its_recipe(write, tmp_path):
    with pytest.raises(RunError, match=r"keeps its recipe.*leave out recipe"):
        check_train("mlp", recipe=write("epochs = 2\n"), resume=True, run_dir=tmp_path)


def test_the_command_line_has_it(write, capsys):
    assert cli.main(["train", "cifar_cnn_basic", "--recipe", str(write("epoch = 3\n"))]) != 0
    assert "mine.toml: unknown field 'epoch'" in capsys.readouterr().err
