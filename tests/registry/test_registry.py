import helpers
import pytest

from keras_fm import registry
from keras_fm.errors import KerasFmError, SchemaError, UnknownNameError
from keras_fm.models.spec import ModelSpec


def test_all_models_are_listed_in_order():
    names = registry.list_models()
    assert "cifar_cnn_basic" in names
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("cifar_cnn_b*", True), ("*basic", True), ("cifar_cnn_basi?", True), ("[a-c]*c", True),
     ("cifar", False), ("CIFAR*", False), ("", False)],
)  # fmt: skip
def test_wildcards_choose_models(pattern, found):
    assert ("cifar_cnn_basic" in registry.list_models(pattern)) == found


def test_task_chooses_models():
    chosen = registry.list_models(task="image-classification")
    assert {"cifar_cnn", "cifar_cnn_basic"} <= set(chosen)
    assert {registry.info(name).task for name in chosen} == {"image-classification"}
    assert set(chosen) < set(registry.list_models())


def test_an_unknown_task_suggests_another():
    with pytest.raises(UnknownNameError, match=r"'image-classificaton'.*'image-classification'"):
        registry.list_models(task="image-classificaton")


def test_pretrained_splits_the_models_in_two(tiny_net):
    assert "tiny_net" in registry.list_models(pretrained=False)
    helpers.write_record(tiny_net)
    having, lacking = (registry.list_models(pretrained=has) for has in (True, False))
    assert "tiny_net" in having
    assert "tiny_net" not in lacking
    assert sorted(having + lacking) == registry.list_models()


@pytest.mark.parametrize("name", registry.list_models())
def test_every_entry_and_recipe_is_valid(name):
    package, _ = registry.find(name)
    assert registry.info(name).name == name
    assert ModelSpec.of(package).task.default_recipe().dataset == package.entry.dataset


def test_a_tag_must_exist(tiny_net):
    helpers.write_record(tiny_net)
    assert registry.info("tiny_net.first").name == "tiny_net"
    assert registry.find("tiny_net.first")[1] == "first"
    with pytest.raises(UnknownNameError, match=r"'tiny_net' has no weights 'frst'.*'first'"):
        registry.info("tiny_net.frst")


def test_a_typo_suggests_a_model():
    with pytest.raises(UnknownNameError, match=r"'cifar_cnn_basik'\. Did .*'cifar_cnn_basic'"):
        registry.find("cifar_cnn_basik")


def test_a_name_like_no_other_lists_all_models():
    with pytest.raises(UnknownNameError, match=r"'zzz'. Known: .*cifar_cnn_basic"):
        registry.find("zzz")


@pytest.mark.parametrize(
    "name",
    ["", ".", "../x", "../cifar_cnn_basic", "/etc/passwd", "cifar_cnn_basic/", "CIFAR_cnn_basic",
     "cifar_cnn_basic\0", "cifar*", "__init__"],
)  # fmt: skip
def test_a_name_is_no_path(name):
    with pytest.raises(UnknownNameError, match="unknown model"):
        registry.find(name)


def test_a_name_ends_in_no_dot():
    with pytest.raises(UnknownNameError, match="ends in a dot"):
        registry.find("cifar_cnn_basic.")


@pytest.mark.parametrize("name", [3, None, b"cifar_cnn_basic", ["cifar_cnn_basic"]])
def test_a_name_is_a_string(name):
    with pytest.raises(UnknownNameError, match=f"received {type(name).__name__}"):
        registry.find(name)


def test_another_package_adds_a_model(tiny_net):
    assert "tiny_net" in registry.list_models()
    package, tag = registry.find("tiny_net")
    assert (package.path, package.import_name, tag) == (tiny_net, "their_zoo.tiny_net", None)
    assert package.module("model").build().name == "tiny_net"


def test_two_packages_may_not_offer_one_name(install):
    helpers.write_room(
        install({"cifar_cnn_basic": "their_zoo.cifar_cnn_basic"}) / "cifar_cnn_basic"
    )
    with pytest.raises(
        KerasFmError, match=r"two packages .*keras_fm\.zoo\.cifar_cnn_basic and their_zoo"
    ):
        registry.packages()


@pytest.mark.parametrize("value", ["their_zoo.gone", "gone.tiny_net"])
def test_an_entry_point_names_a_package(install, value):
    install({"tiny_net": value})
    with pytest.raises(KerasFmError, match=f"'tiny_net'.*{value}"):
        registry.packages()


def test_an_entry_point_has_the_name_of_its_model(install):
    helpers.write_room(install({"other_name": "their_zoo.tiny_net"}) / "tiny_net")
    with pytest.raises(KerasFmError, match="other_name"):
        registry.packages()


@pytest.mark.parametrize("text", [None, "name = ", b"\xff\xfe"])
def test_a_package_with_a_broken_entry_is_named(tiny_net, text):
    entry = tiny_net / "entry.toml"
    entry.unlink()
    if text is not None:
        entry.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SchemaError, match=r"tiny_net.entry\.toml"):
        registry.list_models(pretrained=True)


@pytest.mark.parametrize("name", ["runs/mine", "./mine", "/runs/mine"])
def test_a_missing_run_directory_is_named(name):
    with pytest.raises(UnknownNameError, match=f"'{name}'; no run directory is there either"):
        registry.find(name)
