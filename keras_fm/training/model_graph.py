"""The layers of a model as a graph for TensorBoard's Graphs."""

from collections.abc import Iterator
from typing import Any

import keras

from keras_fm.lazy_imports import tf


def model_graph(model: keras.Model) -> Any:
    """Return a `GraphDef` with a node a layer; TensorFlow's own of a step has thousands.

    A layer that is called more than once has the inputs of all calls. A subclassed model has no
    node: it tells only when it is called which layer follows which.
    """
    graph = tf.compat.v1.GraphDef()
    previous: list[str] = []
    for config in model.get_config().get("layers", []):
        name = config.get("name") or config["config"]["name"]
        inputs = previous  # of a Sequential
        if "inbound_nodes" in config:
            inputs = [*dict.fromkeys(_sources(config["inbound_nodes"]))]
        node = graph.node.add(name=name, op=config["class_name"], input=inputs)
        previous = [name]
        layer = next((layer for layer in model.layers if layer.name == name), None)
        if layer is not None:
            node.attr["parameters"].i = layer.count_params() if layer.built else 0
            node.attr["output_shape"].s = _output_shape(layer).encode()
    return graph


def _sources(nodes: Any) -> Iterator[str]:
    """Find the layers whose outputs are among the arguments of calls."""
    if isinstance(nodes, dict):
        history = nodes.get("keras_history")
        if history:
            yield history[0]
        nodes = nodes.values()
    if not isinstance(nodes, str) and hasattr(nodes, "__iter__"):
        for node in nodes:
            yield from _sources(node)


def _output_shape(layer: keras.layers.Layer) -> str:
    try:
        return str(keras.tree.map_structure(lambda tensor: tensor.shape, layer.output))
    except (AttributeError, ValueError):  # never called, or more than once
        return ""
