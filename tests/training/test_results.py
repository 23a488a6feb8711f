"""What TensorBoard shows of a trained model: texts, graph, pictures, embeddings."""

import keras
import numpy as np
import tensorboard_logs
from PIL import Image

from keras_fm.tasks.base import ProjectorPoints
from keras_fm.training import training
from keras_fm.training.model_graph import model_graph
from keras_fm.training.results import write_projector


def test_a_regression_has_the_layout_of_all_tasks(tmp_path):
    options = {"data": "sample", "epochs": 1, "run_dir": tmp_path / "run"}
    tensorboard_logs.check_board(
        training.train("linear_regression", **options).path,
        {"1_loss/loss", "2_metrics/rmse_log", "4_speed/rows_per_second"},
        {"1_loss/loss", "2_metrics/rmse_log", "5_result/rmse", "6_pictures/predictions"},
    )


def test_a_classifier_of_images_has_the_layout_of_all_tasks(small_run):
    tensorboard_logs.check_board(
        small_run.path,
        {"1_loss/loss", "2_metrics/accuracy", "4_speed/images_per_second",
         "7_inputs/augmented_inputs"},
        {"1_loss/loss", "2_metrics/accuracy", "5_result/accuracy", "6_pictures/confusion_matrix",
         "6_pictures/reliability", "6_pictures/most_confident_mistakes", "pr_curve/cat/pr_curves"},
    )  # fmt: skip


def test_the_recipe_has_the_changed_fields_first(small_run):
    events = tensorboard_logs.read_events(small_run.path / "logs" / "train")
    [event] = events.Tensors("3_recipe")
    head, _, *rows = event.tensor_proto.string_val[0].decode().splitlines()
    assert head == "| changed | value | in the recipe of cifar_cnn_basic |"
    assert rows[:3] == [
        "| validation_examples | 56 | 5000 |", "| epochs | 1 | 10 |", "| batch_size | 8 | 32 |",
    ]  # fmt: skip
    [event] = events.Tensors("2_data")
    assert "| all | 200 | 56 |" in event.tensor_proto.string_val[0].decode()


def test_the_projector_shows_images_with_their_labels(small_run):
    logs = small_run.path / "logs" / "validation"
    config = (logs / "projector_config.pbtxt").read_text()
    assert 'image_path: "sprite.png"' in config
    header, *rows = (logs / "metadata.tsv").read_text("utf-8").splitlines()
    assert header == "label\texample"
    assert len(rows) == len(np.loadtxt(logs / "embeddings.tsv")) == 56
    with Image.open(logs / "sprite.png") as sprite:
        assert sprite.size == (8 * 32, 7 * 32)


def test_a_tab_in_a_text_is_no_column_of_the_projector(tmp_path):
    logs = tmp_path / "logs" / "validation"
    logs.mkdir(parents=True)
    metadata = {"label": ["good", "bad"], "text": ["a\tfilm", "a film"]}
    write_projector(tmp_path, ProjectorPoints(np.eye(2), metadata))
    lines = (logs / "metadata.tsv").read_text("utf-8").splitlines()
    assert [line.split("\t") for line in lines] == [
        ["label", "text"], ["good", "a film"], ["bad", "a film"],
    ]  # fmt: skip


def test_the_graph_has_the_layers_and_what_they_are_called_with():
    image = keras.Input((4, 4, 3), name="image")
    x = keras.layers.Conv2D(2, 1, name="conv")(image)
    x = keras.layers.Add(name="add")([x, keras.ops.relu(x)])
    graph = model_graph(keras.Model(image, x))
    inputs = {node.name: [*node.input] for node in graph.node}
    relu = next(name for name in inputs if name.startswith("relu"))
    assert inputs == {"image": [], "conv": ["image"], relu: ["conv"], "add": ["conv", relu]}
    conv = next(node for node in graph.node if node.name == "conv")
    assert (conv.op, conv.attr["parameters"].i) == ("Conv2D", 8)


def test_the_graph_of_a_sequential_model_is_a_chain():
    layers = [keras.layers.Dense(2, name=name) for name in "ab"]
    graph = model_graph(keras.Sequential([keras.Input((3,), name="x"), *layers]))
    assert [*graph.node[-1].input] == ["a"]


def test_a_subclassed_model_has_no_graph():
    class Model(keras.Model):
        def call(self, x):
            return x

    assert not model_graph(Model()).node
