import pytest

from keras_fm import demo, registry


@pytest.mark.thorough
def test_the_demo_runs(tmp_path, capfd, no_tfds, monkeypatch):
    if demo.MODEL not in registry.list_models(pretrained=True):
        pytest.skip(f"{demo.MODEL} has no weights yet")
    fine_tune = demo.fine_tune
    monkeypatch.setattr(
        demo, "fine_tune", lambda *data, **options: fine_tune(*data, **options | {"epochs": 1})
    )
    assert demo.demo(tmp_path) == 0
    shown = capfd.readouterr().out
    assert "agrees" in shown
    assert "tensorboard --logdir" in shown
    (folder,) = tmp_path.iterdir()
    assert (folder / "export" / "1" / "saved_model.pb").is_file()


def test_every_label_has_a_class_of_the_demo():
    labels = [label for names in demo.PLACES.values() for label in names]
    assert sorted(labels) == sorted(registry.info("cifar_cnn_basic").labels)
