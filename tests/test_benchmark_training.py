"""`tools/benchmark_training.py`: its table, and the networks in PyTorch that it measures."""

import numpy as np
import pytest

from keras_fm import registry
from keras_fm.models import building
from keras_fm.models.spec import ModelSpec


def test_the_ratios_are_medians_of_those_of_the_rounds(tools):
    ours = np.array([[1.0, 2.0], [10.0, 20.0], [3.0, 6.0]])
    rows = [*tools("benchmark_training").rows("m", {"keras_fm": ours, "plain": ours * 2})]
    assert rows == [
        "| m | keras_fm | 3.0000 | 6.0000 |  |  |",
        "| m | plain | 6.0000 | 12.0000 | 2.00x | 2.00x |",
    ]
    slow_round = ours * [[3.0], [1.0], [3.0]]  # of one way, in two rounds of three
    *_, row = tools("benchmark_training").rows("m", {"keras_fm": ours, "plain": slow_round})
    assert row.endswith("| 9.0000 | 18.0000 | 3.00x | 3.00x |")


@pytest.mark.parametrize("name", ["cifar_cnn", "lstm", "mini_bert"])
def test_a_network_in_pytorch_has_the_same_number_of_parameters(name, tools):
    pytest.importorskip("torch")
    network = tools("pytorch_networks").NETWORKS[name]()
    model = building.build(ModelSpec.of(registry.find(name)[0]))
    # Of the biases and scales of normalizations alone some differ.
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == pytest.approx(model.count_params(), rel=0.002)


@pytest.mark.parametrize("name", ["cifar_cnn", "lstm", "mini_bert"])
def test_a_network_in_pytorch_learns(name, tools):
    pytest.importorskip("torch")
    recipe = ModelSpec.of(registry.find(name)[0]).task.default_recipe()
    trainer = tools("pytorch_networks").Trainer(name, recipe, uses_bfloat16=False)
    random = np.random.default_rng(0)
    shape = (8, 32, 32, 3) if name == "cifar_cnn" else (8, 12)
    inputs = random.integers(1, 200, shape).astype("uint8" if name == "cifar_cnn" else "int32")
    before = {key: value.clone() for key, value in trainer.network.named_parameters()}
    classes = 10 if name == "cifar_cnn" else 2
    targets = np.eye(classes, dtype="float32")[random.integers(0, 2, 8)]
    trainer.fit([(inputs, targets)] * 2)
    for key, value in trainer.network.named_parameters():
        assert value.isfinite().all()
        assert value.equal(before[key]) == (key.split(".")[0] == "whiten")


@pytest.mark.parametrize("name", ["cifar_cnn", "mlp", "char_lstm", "lstm"])
def test_a_job_has_the_batches_of_the_recipe(name, tools):
    task, recipe, first = tools("benchmark_training").job(name, 2, "float32")
    assert recipe.precision == "float32"
    assert getattr(recipe, "image_sizes", []) == []  # left out, as plain training has them not
    assert len(list(first.as_dataset())) == 2
    assert first.batches.batch_size == task.default_recipe().batch_size
