import os
import sys
from pathlib import Path

import h5py
import helpers
import keras
import numpy as np
import pytest

from keras_fm import layers, registry, store
from keras_fm.errors import InvalidInputError, UnknownNameError, WeightsError
from keras_fm.models import backbone, loading, weights
from keras_fm.models.spec import spec_of

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
from faulty_server import Fault, serving

SHIPPED = {
    f"{name}.{tag}"
    for name in registry.list_models()
    for tag, record in registry.info(name).weights.items()
    if (registry.find(name)[0].path / record.file).is_file()
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Where downloads go."""
    monkeypatch.setenv("KERAS_FM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def model(tiny_net):
    return loading.get("tiny_net", weights=None)


@pytest.fixture
def file(model, tmp_path):
    """A weights file of `model`."""
    weights.save_weights(model, tmp_path / "tiny.weights.h5")
    return tmp_path / "tiny.weights.h5"


def get(file, **options):
    return loading.get("tiny_net", weights=file, **options)


def test_float32_weights_come_back_bit_for_bit(model, file):
    assert helpers.same_weights(get(file), model)


def test_float16_weights_come_back_rounded(model, tmp_path):
    path = tmp_path / "half.weights.h5"
    weights.save_weights(model, path, "float16")
    for weight, loaded in zip(model.weights, get(path).weights, strict=True):
        exact = np.asarray(weight)
        stored = exact.astype("f2").astype("f4") if exact.ndim >= 2 else exact
        np.testing.assert_array_equal(np.asarray(loaded), stored)


def test_float16_halves_kernels_and_keeps_vectors(model, tmp_path):
    path = tmp_path / "half.weights.h5"
    weights.save_weights(model, path, "float16")
    dtypes = {}
    with h5py.File(path) as file:
        file.visititems(lambda _, item: dtypes.update({item.ndim: item.dtype.name})
                        if isinstance(item, h5py.Dataset) else None)  # fmt: skip
    assert dtypes == {1: "float32", 2: "float16", 4: "float16"}


def test_a_file_with_optimizer_state_loads(model, tmp_path):
    helpers.train_one_step(model, "tiny_net")
    path = tmp_path / "trained.weights.h5"
    model.save_weights(path)
    with h5py.File(path) as file:
        assert "optimizer" in file
    assert helpers.same_weights(get(path), model)


def test_a_path_may_be_a_string(model, file, monkeypatch):
    assert helpers.same_weights(get(str(file)), model)
    monkeypatch.chdir(file.parent)
    assert helpers.same_weights(get(file.name), model)


def test_default_and_tag_are_the_entrys_file(tiny_net):
    helpers.write_weights(tiny_net)
    expected = tiny_net / "weights" / "first.weights.h5"
    package, _ = registry.find("tiny_net")
    for weights_argument, tag in [("default", None), ("default", "first"), ("first", None)]:
        source = store.resolve(package, weights_argument, tag)
        assert source == store.WeightsFile(expected, store.sha256_of(expected))
    assert helpers.same_weights(loading.get("tiny_net"), loading.get("tiny_net.first"))


def test_an_unknown_tag_suggests_another(tiny_net):
    helpers.write_record(tiny_net)
    with pytest.raises(UnknownNameError, match=r"'fist'\. Did you mean 'first'"):
        loading.get("tiny_net", weights="fist")


def test_default_needs_weights(model):
    with pytest.raises(UnknownNameError, match="no pretrained weights"):
        loading.get("tiny_net")


def test_altered_bytes_are_noticed(tiny_net):
    helpers.write_weights(tiny_net)
    path = tiny_net / "weights" / "first.weights.h5"
    assert loading.get("tiny_net") is not None  # the hash is remembered
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    os.utime(path, ns=(1, 1))
    with pytest.raises(WeightsError, match=r"first\.weights\.h5 has sha256 .*cut or altered"):
        loading.get("tiny_net")


def test_a_weights_file_that_does_not_ship_is_named(tiny_net):
    helpers.write_record(tiny_net)
    with pytest.raises(WeightsError, match="no mirror is known"):
        loading.get("tiny_net")


@pytest.mark.parametrize("fraction", [0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_an_error(file, fraction):
    raw = file.read_bytes()
    file.write_bytes(raw[: int(fraction * len(raw))])
    with pytest.raises(WeightsError, match=rf"tiny\.weights\.h5 .*{file.stat().st_size:,} bytes"):
        get(file)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(WeightsError, match=r"there is no weights file .*gone\.weights\.h5"):
        loading.get("cifar_cnn_basic", weights=tmp_path / "gone.weights.h5")


def test_another_suffix_is_an_error(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"1")
    with pytest.raises(InvalidInputError, match=r"ends in \.weights\.h5; received .*model\.pkl"):
        loading.get("cifar_cnn_basic", weights=tmp_path / "model.pkl")


@pytest.mark.parametrize("value", [3, True, b"default", ["default"]])
def test_weights_are_a_string_or_a_path(value):
    with pytest.raises(InvalidInputError, match=f"received .*{type(value).__name__}"):
        loading.get("cifar_cnn_basic", weights=value)


def test_the_file_of_another_model_is_an_error(file):
    with pytest.raises(
        WeightsError, match=r"does not fit the model 'cifar_cnn_basic'.*only in the"
    ):
        loading.get("cifar_cnn_basic", weights=file)


def test_the_file_of_a_model_with_other_arguments_is_an_error(file):
    with pytest.raises(WeightsError, match=r"only in the file: .*\(4,\)"):
        get(file, width=5)


def test_the_error_of_withdrawn_weights_has_the_reason(tiny_net, file):
    entry = tiny_net / "entry.toml"
    entry.write_text(f'{entry.read_text()}\n[withdrawn]\n{store.sha256_of(file)} = "wider now"\n')
    registry.clear_cache()
    with pytest.raises(WeightsError, match=r"does not fit .*released no more: wider now"):
        get(file, width=5)


def test_a_file_of_other_shapes_changes_nothing(file):
    wide = loading.get("tiny_net", weights=None, width=5)
    expected = helpers.all_weights(wide)
    with pytest.raises(WeightsError):
        weights.load_weights(wide, store.WeightsFile(file))
    for old, new in zip(expected, helpers.all_weights(wide), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_url_without_a_hash_is_refused():
    url = "https://example.org/a.weights.h5"
    with pytest.raises(WeightsError, match=rf"expected {url}#sha256=.*received no hash"):
        loading.get("cifar_cnn_basic", weights=url)


@pytest.mark.parametrize("end", ["#sha256=12", "#md5=" + "0" * 32, "#sha256=" + "z" * 64])
def test_a_url_with_an_invalid_hash_is_refused(end, home):
    with pytest.raises(WeightsError, match="64 hex digits"):
        loading.get("cifar_cnn_basic", weights=f"http://127.0.0.1:9/a.weights.h5{end}")
    assert not home.exists()


def test_a_url_with_its_hash_loads(model, file, home):
    with serving(file.read_bytes()) as server:
        url = f"{server.url}/{file.name}#sha256={store.sha256_of(file).upper()}"
        assert helpers.same_weights(get(url), model)
    assert helpers.same_weights(get(url), model)  # now from the cache


def test_default_weights_that_do_not_ship_are_downloaded(tiny_net, monkeypatch):
    helpers.write_weights(tiny_net)
    path = tiny_net / "weights" / "first.weights.h5"
    expected = loading.get("tiny_net")
    body = path.read_bytes()
    path.unlink()
    with serving(body) as server:
        monkeypatch.setenv("KERAS_FM_WEIGHTS_URL", server.url)
        assert helpers.same_weights(loading.get("tiny_net"), expected)
    assert server.paths == [f"/{registry.info('tiny_net').weights['first'].sha256}.weights.h5"]


def test_a_failed_download_is_an_error(tiny_net):
    with serving(b"", Fault("status", how=(404, None))) as server:
        helpers.write_record(tiny_net, urls=[f"{server.url}/a.weights.h5"])
        with pytest.raises(WeightsError, match=r"tiny_net\.first could not be downloaded.* 404"):
            loading.get("tiny_net")


@pytest.mark.parametrize("storage", ["float32", "float16"])
def test_a_failed_write_leaves_no_file(model, tmp_path, monkeypatch, storage):
    def fail(path):
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(model, "save_weights", fail)
    folder = tmp_path / "weights"
    folder.mkdir()
    with pytest.raises(OSError, match="no space left"):
        weights.save_weights(model, folder / "a.weights.h5", storage)
    assert not any(folder.iterdir())


def test_a_failed_write_keeps_the_old_file(model, file, monkeypatch):
    before = file.read_bytes()
    monkeypatch.setattr(model, "save_weights", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        weights.save_weights(model, file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("count", [5, 10])
def test_num_classes_replaces_the_head_alone(tiny_net, model, file, count):
    other = get(file, num_classes=count)
    assert other.output_shape == (None, count)
    assert spec_of(other).labels[0] == "class 0"
    kernel, new_kernel = (x.layers[-1].get_weights()[0] for x in (model, other))
    assert not np.array_equal(kernel, new_kernel)
    for layer in model.layers[:-1]:
        pairs = zip(layer.get_weights(), other.get_layer(layer.name).get_weights(), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("value", [1, 0, -3, 2.5, "5", True])
def test_num_classes_is_an_integer_from_2(value):
    with pytest.raises(InvalidInputError, match=f"received {value!r}"):
        loading.get("cifar_cnn_basic", weights=None, num_classes=value)


def test_num_classes_may_be_a_numpy_integer(tiny_net, file):
    assert get(file, num_classes=np.array([0, 3]).max() + 1).output_shape == (None, 4)


@pytest.mark.thorough
@pytest.mark.skipif("mini_bert.mlm" not in SHIPPED, reason="its weights don't ship")
def test_a_new_head_of_mini_bert_is_on_the_backbone_of_its_pretraining():
    pretrained, default = loading.get("mini_bert.mlm"), loading.get("mini_bert")
    for count in (2, 4):
        new = loading.get("mini_bert", num_classes=count)
        names = {layer.name for layer in new.layers if layer.weights} - backbone.head_layers(new)
        assert names, "nothing is compared"
        for name in names:
            expected, actual, other = (
                model.get_layer(name).get_weights() for model in (pretrained, new, default)
            )
            assert all(map(np.array_equal, expected, actual)), name
            assert not all(map(np.array_equal, other, actual)), name


def test_a_file_of_another_hash_is_not_loaded(tiny_net, tmp_path):
    model, file = loading.get("tiny_net", weights=None), tmp_path / "first.weights.h5"
    weights.save_weights(loading.get("tiny_net", weights=None), file)
    initial = helpers.all_weights(model)
    with pytest.raises(WeightsError, match=r"has sha256 .*cut or altered"):
        weights.load_weights(model, store.WeightsFile(file, "0" * 64))
    assert all(map(np.array_equal, initial, helpers.all_weights(model)))


def test_the_model_of_a_run_takes_another_head_and_no_other_weights(small_run):
    model = loading.get(small_run.path, num_classes=3)
    assert model.output_shape == (None, 3)
    for layer in small_run.model.layers:
        if layer.name not in backbone.head_layers(model):
            expected = layer.get_weights()
            assert all(map(np.array_equal, expected, model.get_layer(layer.name).get_weights()))
    for arguments in ({"weights": None}, {"weights": "v1"}, {"width": 8}):
        with pytest.raises(InvalidInputError, match="has weights and arguments of its own"):
            loading.get(small_run.path, **arguments)


def test_an_argument_that_follows_from_the_specification_is_refused():
    with pytest.raises(UnknownNameError, match="'linear_regression' has no argument 'columns'"):
        loading.get("linear_regression", weights=None, columns=[])


def test_an_unknown_argument_suggests_another(tiny_net):
    with pytest.raises(UnknownNameError, match=r"no argument 'widht'\. Did you mean 'width'"):
        loading.get("tiny_net", weights=None, widht=3)


def test_a_regression_has_no_classes():
    with pytest.raises(InvalidInputError, match="linear_regression is no classifier"):
        loading.get("linear_regression", num_classes=3)


def with_renamed_layers():
    """Build a model with layers whose classes were renamed, also inside a submodel."""
    inputs = keras.Input((4, 8))
    x = layers.RotaryMultiHeadAttention(2, 4)(inputs, inputs)
    submodel = keras.Sequential([keras.Input((4, 8)), layers.FastLSTM(8, return_sequences=True)])
    x = layers.FastLSTM(8)(submodel(layers.FastLSTM(8, return_sequences=True)(x)))
    x = layers.FastLayerNormalization()(x)
    outputs = keras.layers.Flatten()(layers.PiecewiseLinearEncoding(3)(x))
    model = keras.Model(inputs, outputs)
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=weight.shape) for weight in model.weights])
    return model


def with_former_names(path):
    """Give the groups in a file the former names; return which."""
    former = {new: old for old, new in weights.ALIASES.items()}
    renamed = set()
    with h5py.File(path, "r+") as file:
        names = []
        file.visit(names.append)
        for name in sorted(names, key=len, reverse=True):
            parent, _, group = name.rpartition("/")
            new = next((new for new in former if group.startswith(new)), None)
            if new is not None and parent.endswith("layers"):
                file.move(name, f"{parent}/{group.replace(new, former[new])}")
                renamed.add(former[new])
    return renamed


def test_groups_with_the_former_names_of_layers_load(tmp_path):
    path, model = tmp_path / "old.weights.h5", with_renamed_layers()
    model.save_weights(path)
    expected = [np.array(weight) for weight in model.weights]
    assert with_former_names(path) == set(weights.ALIASES)
    content = path.read_bytes()
    model.set_weights([0 * weight for weight in expected])
    weights.load_weights(model, store.WeightsFile(path))
    for weight, values in zip(model.weights, expected, strict=True):
        np.testing.assert_array_equal(weight, values)
    assert path.read_bytes() == content
    assert [*tmp_path.iterdir()] == [path]


def test_a_layer_of_another_package_may_have_a_former_name(tmp_path):
    class QuickLSTM(keras.layers.LSTM):
        """A layer of another package."""

    path = tmp_path / "theirs.weights.h5"
    model = keras.Sequential([keras.Input((3, 2)), QuickLSTM(4)])
    model.save_weights(path)
    expected = [np.array(weight) for weight in model.weights]
    model.set_weights([0 * weight for weight in expected])
    weights.load_weights(model, store.WeightsFile(path))
    for weight, values in zip(model.weights, expected, strict=True):
        np.testing.assert_array_equal(weight, values)


@pytest.mark.parametrize("name", ["model.h5", "model.hdf5", "model", "model.weights.h5", "m.KERAS"])
def test_a_model_is_saved_as_keras_file_alone(name, model, tmp_path):
    with pytest.raises(InvalidInputError, match=r"ends in \.keras; received .*save_weights"):
        model.save(tmp_path / name)
    assert not (tmp_path / name).exists()
    model.save(tmp_path / "model.keras")
    assert loading.get(tmp_path / "model.keras").name == model.name
