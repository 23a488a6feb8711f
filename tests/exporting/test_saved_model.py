import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import helpers
import keras
import numpy as np
import odd_images
import pytest
import tensorflow as tf

from keras_fm import pipelines, registry
from keras_fm.data import datasets
from keras_fm.errors import InvalidInputError, KerasFmError, UnknownNameError
from keras_fm.exporting import parity, saved_model
from keras_fm.models import loading
from keras_fm.tasks.base import Signature

OUTPUTS = {
    "logits": (tf.float32, [None, 10]),
    "probabilities": (tf.float32, [None, 10]),
    "label": (tf.string, [None]),
}


@pytest.fixture(scope="module")
def version(small_version):
    """The export of the small run."""
    return small_version


@pytest.fixture(scope="module")
def served(version):
    """The loaded export."""
    return tf.saved_model.load(str(version))


def call(served, images):
    outputs = served.signatures["serving_default"](image=tf.constant(images))
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def call_on_files(served, files):
    outputs = served.signatures["serve_bytes"](image_bytes=tf.constant(files))
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def interface(signature):
    inputs = {name: (spec.dtype, spec.shape.as_list())
             for name, spec in signature.structured_input_signature[1].items()}  # fmt: skip
    return inputs, {
        name: (spec.dtype, spec.shape.as_list())
        for name, spec in signature.structured_outputs.items()
    }


def test_signatures_have_names_dtypes_and_shapes(served):
    assert set(served.signatures) == {"serving_default", "serve_bytes", "features", "pixels"}
    image = {"image": (tf.uint8, [None, None, None, 3])}
    assert interface(served.signatures["serving_default"]) == (image, OUTPUTS)
    files = {"image_bytes": (tf.string, [None])}
    assert interface(served.signatures["serve_bytes"]) == (files, OUTPUTS)
    embedding = {"embedding": (tf.float32, [None, 64])}
    assert interface(served.signatures["features"]) == (image, embedding)
    pixels = {"image": (tf.float32, [None, 32, 32, 3])}
    assert interface(served.signatures["pixels"]) == (pixels, {**OUTPUTS, **embedding})


def test_outputs_are_those_of_the_model(served, small_run):
    images = datasets.sample("cifar10").inputs
    expected = helpers.logits(small_run.model, images)
    outputs = call(served, images)
    np.testing.assert_allclose(outputs["logits"], expected, atol=1e-5)
    np.testing.assert_allclose(outputs["probabilities"], helpers.softmax(expected), atol=1e-5)
    labels = np.array(registry.info("cifar_cnn_basic").labels)
    assert outputs["label"].astype("U").tolist() == labels[expected.argmax(-1)].tolist()


def test_features_are_the_layer_before_the_logits(served, small_run):
    images = datasets.sample("cifar10").inputs[:8]
    features = served.signatures["features"](image=tf.constant(images))["embedding"].numpy()
    kernel, bias = small_run.model.get_layer("logits").get_weights()
    np.testing.assert_allclose(features @ kernel + bias, call(served, images)["logits"], atol=1e-5)


def test_pixels_of_the_models_size_have_the_same_outputs(served):
    images = datasets.sample("cifar10").inputs[:8]
    outputs = served.signatures["pixels"](image=tf.constant(images, tf.float32))
    features = served.signatures["features"](image=tf.constant(images))
    for name, values in {**call(served, images), **features}.items():
        np.testing.assert_array_equal(outputs[name], values)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (33, 31), (200, 300)])
def test_images_of_any_size_have_the_outputs_of_the_pipeline(served, small_run, size):
    images = np.stack([helpers.image(*size, seed) for seed in range(2)])
    expected = pipelines.pipeline(small_run.model)(images)
    outputs = call(served, images)
    assert outputs["label"].astype("U").tolist() == [prediction["label"] for prediction in expected]
    np.testing.assert_allclose(
        outputs["probabilities"],
        [list(prediction["probabilities"].values()) for prediction in expected],
        atol=1e-5,
    )


@pytest.mark.parametrize("dtype_range", [(0, 1), (0, 0.5), (1e-6, 1e-3)])
def test_pixels_from_0_to_1_are_refused_in_any_row(served, dtype_range):
    pixels = datasets.sample("cifar10").inputs[:3].astype("float32")
    expected = served.signatures["pixels"](image=tf.constant(pixels))["logits"]
    for row in range(3):
        scaled = pixels.copy()
        scaled[row] = np.interp(scaled[row], (0, 255), dtype_range)
        message = f"image, row {row}: expected numbers from 0 to 255, .*; received "
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            served.signatures["pixels"](image=tf.constant(scaled))
        black = pixels.copy()
        black[row] = 0
        outputs = served.signatures["pixels"](image=tf.constant(black))["logits"]
        others = np.arange(3) != row
        np.testing.assert_allclose(outputs[others], expected[others], atol=1e-4)


@pytest.mark.parametrize("name", helpers.first(odd_images.served_files(), 4))
def test_files_are_shown_as_by_a_viewer(name, served, small_run):
    file, shown = odd_images.served_files()[name]
    outputs, expected = call_on_files(served, [file]), call(served, shown[None])
    # Another decoder of JPEG and another rounding of transparency than Pillow's.
    np.testing.assert_allclose(outputs["logits"], expected["logits"], atol=3e-3)
    [prediction] = pipelines.pipeline(small_run.model)(file)
    probabilities = list(prediction["probabilities"].values())
    np.testing.assert_allclose(outputs["probabilities"][0], probabilities, atol=1e-5)


def test_the_readme_says_how_files_are_shown(version):
    text = (version.parent / "README.md").read_text("utf-8")
    assert "turned by their EXIF orientation, and composited on white" in text


def test_files_have_the_outputs_of_arrays(served):
    images = [helpers.image(40, 50), helpers.image(32, 32), helpers.image(7, 90)]
    outputs = call_on_files(served, [helpers.encode(image) for image in images])
    for index, image in enumerate(images):
        for name, values in call(served, image[None]).items():
            if name == "label":
                assert outputs[name][index] == values[0]
            else:
                np.testing.assert_allclose(outputs[name][index], values[0], atol=1e-6)


def test_jpeg_files_of_different_sizes_are_one_batch(served, small_run):
    files = [helpers.encode(helpers.image(50, 60 + n), "JPEG") for n in range(3)]
    expected = pipelines.pipeline(small_run.model)(files)
    labels = call_on_files(served, files)["label"].astype("U").tolist()
    assert labels == [prediction["label"] for prediction in expected]


def test_bytes_that_are_no_image_are_an_error(served):
    with pytest.raises(tf.errors.InvalidArgumentError):
        call_on_files(served, [b"no image"])


def test_labels_are_an_asset(version):
    names = (version / "assets" / "labels.txt").read_text("utf-8").splitlines()
    assert names == registry.info("cifar_cnn_basic").labels


def test_a_moved_folder_has_the_same_outputs(version, served, tmp_path):
    moved = tmp_path / "elsewhere" / "7"
    shutil.copytree(version, moved)
    images = helpers.noise(3).inputs
    again = call(tf.saved_model.load(str(moved)), images)
    for name, values in call(served, images).items():
        np.testing.assert_array_equal(again[name], values)


def test_each_weight_is_stored_once(version, small_run):
    stored = sum(path.stat().st_size for path in (version / "variables").glob("*.data-*"))
    once = 4 * small_run.model.count_params()
    assert once <= stored < 1.3 * once


def test_the_loader_of_tf_serving_loads_it(version, served):
    """`tf.compat.v1.saved_model.load` reads the graph alone, as TF Serving's C++ loader does."""
    images = helpers.noise(3).inputs
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
        signature = loaded.signature_def["serving_default"]
        outputs = {name: info.name for name, info in signature.outputs.items()}
        outputs = session.run(outputs, {signature.inputs["image"].name: images})
    for name, values in call(served, images).items():
        if name == "label":
            assert outputs[name].tolist() == values.tolist()
        else:
            np.testing.assert_allclose(outputs[name], values, atol=1e-6)


def test_only_stock_operations_are_used(version):
    operations = helpers.operations(version)
    assert "Conv2D" in operations
    assert not [name for name in operations if "PyFunc" in name or "Cudnn" in name]


def test_the_parity_of_each_signature_is_written_down(version, served):
    info = json.loads((version / "keras_fm.json").read_text())
    assert info["model"] == "cifar_cnn_basic"
    assert set(info["parity"]) == set(served.signatures)
    assert info["parity"]["serving_default"]["examples"] == 256
    for name, signature in served.signatures.items():
        differences = info["parity"][name]["max_difference"]
        assert set(differences) == set(signature.structured_outputs)
        assert all(0 <= difference <= 1e-5 for difference in differences.values())


def test_parity_is_the_largest_difference_of_each_output():
    def outputs(x):
        return {
            "number": x,
            "count": tf.cast(x, tf.uint8),
            "label": tf.as_string(tf.cast(x, "int32")),
        }

    def exported(x):
        return outputs(tf.where(x == 3.0, x - 2.5, x))

    spec = tf.TensorSpec((None,), tf.float32, name="x")
    signature = Signature(outputs, [spec], {"x": np.float32([1, 2, 3])})
    fake = SimpleNamespace(signatures={"serve": exported})
    assert parity.export_parity({"serve": signature}, fake) == {
        "serve": {"examples": 3, "max_difference": {"number": 2.5, "count": 3, "label": 1}}
    }


def test_another_user_can_read_it(version):
    assert version.stat().st_mode & 0o755 == 0o755


def test_versions_are_counted(small_run, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "_write_saved_model", lambda *arguments: {})
    (tmp_path / "notes").mkdir()
    numbers = [saved_model.export(small_run.model, tmp_path).name for _ in range(2)]
    numbers.append(saved_model.export(small_run.model, tmp_path, version=10).name)
    numbers.append(saved_model.export(small_run.model, str(tmp_path)).name)
    numbers.append(saved_model.export(small_run.model, tmp_path, version=3).name)
    assert numbers == ["1", "2", "10", "11", "3"]
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {
        *numbers, "notes", "requests"
    }  # fmt: skip


def test_an_old_version_is_never_overwritten(small_run, tmp_path):
    (tmp_path / "4").mkdir()
    (tmp_path / "4" / "old").write_text("old")
    with pytest.raises(InvalidInputError, match="4 exists; leave version out"):
        saved_model.export(small_run.model, tmp_path, version=4)
    assert [path.name for path in tmp_path.rglob("*")] == ["4", "old"]


@pytest.mark.parametrize("version", [0, -1, 1.0, "1", True])
def test_a_version_is_an_integer_from_1(small_run, tmp_path, version):
    with pytest.raises(InvalidInputError, match=f"received {version!r}"):
        saved_model.export(small_run.model, tmp_path / "export", version=version)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_export_leaves_no_file(small_run, tmp_path, monkeypatch, error):
    archive = type(keras.export.ExportArchive())  # the backend's own class

    def fail(self, path, **options):
        (Path(path) / "saved_model.pb").write_bytes(b"half of it")
        raise error

    monkeypatch.setattr(archive, "write_out", fail)
    with pytest.raises(type(error)):
        saved_model.export(small_run.model, tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_version_appears_complete(small_run, tmp_path, monkeypatch):
    listings = []
    monkeypatch.setattr(
        saved_model,
        "_write_saved_model",
        lambda *arguments: listings.append([p.name for p in tmp_path.iterdir()]) or {},
    )
    saved_model.export(small_run.model, tmp_path)
    ((draft,),) = listings
    assert not draft.isdecimal()
    assert [path.name for path in tmp_path.iterdir() if path.name.isdecimal()] == ["1"]


def test_another_backend_says_what_to_do(small_run, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(KerasFmError, match=r"jax backend.*KERAS_BACKEND=tensorflow"):
        saved_model.export(small_run.model, tmp_path / "export")
    assert not any(tmp_path.iterdir())


def test_an_unknown_model_leaves_nothing(tmp_path):
    with pytest.raises(UnknownNameError, match="cifar_cnn_basik"):
        saved_model.export("cifar_cnn_basik", tmp_path / "export")
    assert not any(tmp_path.iterdir())


@pytest.mark.thorough
def test_a_model_without_a_bundled_sample_exports(tiny_net, tmp_path):
    entry = tiny_net / "entry.toml"
    entry.write_text(entry.read_text().replace('"cifar10"', '"their_data"'))
    registry.clear_cache()
    model = loading.get("tiny_net", weights=None)
    version = helpers.export(model, tmp_path / "export")
    images = helpers.noise(4).inputs
    outputs = call(tf.saved_model.load(str(version)), images)
    expected = helpers.logits(model, images)
    np.testing.assert_allclose(outputs["logits"], expected, atol=1e-5)


@pytest.mark.thorough
def test_exports_at_the_same_time_take_the_next_free_versions(tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "export_parity", lambda *_: {})
    model = loading.get("linear_regression")

    def export(_):
        return saved_model.export(model, tmp_path / "export", warmup=False).name

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(export, range(3))) == ["1", "2", "3"]
    for version in "123":
        tf.saved_model.load(str(tmp_path / "export" / version))
    assert not list((tmp_path / "export").glob(".partial-*"))


def test_a_version_is_at_most_what_the_server_counts(small_run, tmp_path):
    with pytest.raises(InvalidInputError, match="version is a whole number from 1 to 9223372036"):
        saved_model.export(small_run.model, tmp_path / "export", version=2**63)
    assert not (tmp_path / "export").exists()
