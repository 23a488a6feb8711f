import pytest

from keras_fm import demo, registry


def test_the_demo_runs_to_its_end(tmp_path, capfd, no_tfds):
    if demo.MODEL not in registry.list_models(pretrained=True):
        pytest.skip(f"{demo.MODEL} has no weights yet")
    assert demo.demo(tmp_path) == 0
    shown = capfd.readouterr().out
    assert "agrees" in shown
    assert "tensorboard --logdir" in shown
    (folder,) = tmp_path.iterdir()
    assert (folder / "export" / "1" / "saved_model.pb").is_file()


def test_every_label_has_its_place():
    labels = [label for names in demo.PLACES.values() for label in names]
    assert sorted(labels) == sorted(registry.info("cifar_cnn_basic").labels)
