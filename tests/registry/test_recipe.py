import re
import tomllib

import helpers
import pytest

from keras_fm.errors import InvalidInputError, SchemaError, UnknownNameError
from keras_fm.registry import recipe
from keras_fm.registry.tasks import TASKS, task_module
from keras_fm.tasks.image_classification.recipe import ImageClassificationRecipe

TEXT = """# A reason.
dataset = "cifar10"
epochs = 3      # short
batch_size = 8
optimizer = "adam"
learning_rate = 0.001
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(TEXT)
    return path


def load(path):
    return recipe.load_recipe(path, ImageClassificationRecipe)


def test_a_field_left_out_does_nothing(path):
    loaded = load(path)
    assert (loaded.epochs, loaded.optimizer) == (3, "adam")
    assert (loaded.weight_decay, loaded.flip, loaded.schedule) == (0, "none", "constant")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("epochs = 3", "epochs = 0", "field 'epochs'.*received 0"),
        ("epochs = 3", "epochs = 2.5", "field 'epochs'.*received 2.5"),
        ("epochs = 3", "epochs = true", "field 'epochs'.*received True"),
        ("epochs = 3", 'epochs = "3"', "field 'epochs'.*received '3'"),
        ("0.001", "-1", "field 'learning_rate'.*received -1"),
        ("0.001", "nan", "field 'learning_rate'.*received nan"),
        ("0.001", "inf", "field 'learning_rate'.*received inf"),
        ('"adam"', '"adm"', "field 'optimizer'.*received 'adm'"),
        ("batch_size", "batchsize", "unknown field 'batchsize'. Did you mean 'batch_size'"),
        ("epochs = 3", "", "required field `epochs`"),
        ("epochs = 3", "momentum = 1.0\nepochs = 3", "field 'momentum'.*received 1.0"),
    ],
)
def test_an_error_names_file_field_and_value(path, old, new, complaint):
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(SchemaError, match=rf"recipe\.toml: .*{complaint}"):
        load(path)


def test_overrides_make_another_recipe(path):
    loaded = load(path)
    other = loaded.override(epochs=1, flip="random")
    assert (other.epochs, other.flip, other.batch_size) == (1, "random", 8)
    assert loaded.epochs == 3
    assert loaded.override() == loaded


def test_an_unknown_override_suggests_a_field():
    with pytest.raises(UnknownNameError, match=r"no field 'epoch'. Did you mean 'epochs'"):
        helpers.recipe().override(epoch=2)


@pytest.mark.parametrize("value", ["two", 0, -1, 2.5, None, True])
def test_an_override_is_checked_like_a_file(value):
    with pytest.raises(SchemaError, match=f"recipe override: field 'epochs'.*received {value!r}"):
        helpers.recipe().override(epochs=value)


def test_a_recipe_comes_back_from_its_toml(tmp_path):
    before = helpers.recipe(learning_rate=1e-7, flip="alternating", nesterov=True, momentum=0.85)
    path = tmp_path / "recipe.toml"
    path.write_text(before.to_toml())
    assert load(path) == before
    assert list(tomllib.loads(before.to_toml())) == list(before.to_dict())


def test_comments_and_order_do_not_change_the_fingerprint(path):
    before = recipe.fingerprint(path)
    lines = [line.partition("#")[0] for line in reversed(TEXT.splitlines())]
    path.write_text("# Another.\n" + "\n".join(lines))
    assert recipe.fingerprint(path) == before


@pytest.mark.parametrize(
    ("old", "new"), [("epochs = 3", "epochs = 4"), ("0.001", "0.0011"), ("adam", "adamw")]
)
def test_another_value_changes_the_fingerprint(path, old, new):
    before = recipe.fingerprint(path)
    path.write_text(TEXT.replace(old, new))
    assert recipe.fingerprint(path) != before


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("epochs=2", ("epochs", 2)),
        (" epochs = 2 ", ("epochs", 2)),
        ("learning_rate=1e-3", ("learning_rate", 0.001)),
        ("nesterov=true", ("nesterov", True)),
        ("flip=random", ("flip", "random")),
        ('flip="random"', ("flip", "random")),
        ("flip=a=b", ("flip", "a=b")),
        ("flip=", ("flip", "")),
    ],
)
def test_a_setting_has_a_name_and_a_typed_value(text, setting):
    name, value = recipe.parse_setting(text)
    assert (name, value, type(value)) == (*setting, type(setting[1]))


@pytest.mark.parametrize("text", ["epochs", "=2", " =2", ""])
def test_a_setting_without_name_or_value_is_refused(text):
    with pytest.raises(InvalidInputError, match=f"NAME=VALUE.*received {text!r}"):
        recipe.parse_setting(text)


def test_the_image_size_grows_with_the_epochs():
    recipe = helpers.recipe(
        epochs=20, image_sizes=[24, 28, 32], image_size_starts=[0.0, 0.25, 0.65]
    )
    sizes = [recipe.image_size(epoch) for epoch in (0, 4, 5, 12, 13, 19)]
    assert sizes == [24, 24, 28, 28, 32, 32]
    assert helpers.recipe().image_size(0) is None


@pytest.mark.parametrize(
    ("sizes", "starts"),
    [([24, 32], []), ([24, 32], [0.1, 0.5]), ([1, 2, 3], [0.0, 0.6, 0.5]), ([24, 32], [0.0])],
)
def test_image_sizes_without_their_starts_are_an_error(sizes, starts):
    with pytest.raises(
        SchemaError, match=rf"'image_size_starts'.*received {re.escape(str(starts))}"
    ):
        helpers.recipe().override(image_sizes=sizes, image_size_starts=starts)


def test_a_constant_schedule_has_no_cycles():
    with pytest.raises(SchemaError, match=r"'num_cycles'.*received 2"):
        helpers.recipe().override(num_cycles=2)
    assert helpers.recipe().override(num_cycles=2, schedule="linear").num_cycles == 2


@pytest.mark.parametrize(("trainable", "rank"), [("adapters", 0), ("all", 4), ("head", 4)])
def test_adapters_and_their_rank_come_together(trainable, rank):
    with pytest.raises(SchemaError, match=rf"'lora_rank'.*received {rank} and .*'{trainable}'"):
        helpers.recipe().override(trainable=trainable, lora_rank=rank)
    assert helpers.recipe().override(trainable="adapters", lora_rank=4).lora_rank == 4


def test_each_task_has_fields_of_its_own():
    with pytest.raises(UnknownNameError, match="no field 'flip'"):
        helpers.recipe("tabular-regression").override(flip="random")
    with pytest.raises(UnknownNameError, match="no field 'cell_dropout'"):
        helpers.recipe().override(cell_dropout=0.1)


@pytest.mark.parametrize("task_name", TASKS)
def test_the_recipe_of_a_task_is_known_without_the_task(task_name):
    assert recipe.recipe_class_of(task_name) is task_module(task_name, "task").TASK.recipe_class


def test_the_default_of_a_list_is_a_new_one():
    assert ImageClassificationRecipe.default_of("image_sizes") == []
    assert ImageClassificationRecipe.default_of(
        "image_sizes"
    ) is not ImageClassificationRecipe.default_of("image_sizes")
    assert ImageClassificationRecipe.default_of("flip") == "none"
