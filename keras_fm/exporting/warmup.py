"""Requests that TF Serving runs while it loads a version, so that the first client does not wait.

Source: https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_fm.tasks.base import Signature

EXTRA = "assets.extra"  # of a version: files that the server does not load into the graph
FILE = Path(EXTRA, "tf_serving_warmup_requests")
# The server's batcher fills up to the next of them; the last one is its largest batch.
BATCH_SIZES = (1, 4, 16, 64)


def read_warmup(version: Path) -> dict[str, list[dict[str, np.ndarray]]]:
    """Return the inputs of each signature's requests; none where the version has no such file."""
    from tensorflow_serving.apis import prediction_log_pb2

    requests: dict[str, list[dict[str, np.ndarray]]] = {}
    if (version / FILE).exists():
        for record in tf.data.TFRecordDataset(str(version / FILE)):
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            request = log.predict_log.request
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            requests.setdefault(request.model_spec.signature_name, []).append(inputs)
    return requests


def write_warmup(version: Path, name: str, signatures: Mapping[str, Signature]) -> Path:
    """Write each signature's example into the version, at every batch size.

    A record that fails keeps the server from loading the model, and it takes 1,000 at most.

    Args:
        version: The folder of the version.
        name: Of the model.
        signatures: By name.

    Returns:
        The path of the file.
    """
    from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

    file = version / FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature_name, signature in signatures.items():
            for size in BATCH_SIZES:
                request = predict_pb2.PredictRequest(
                    model_spec=model_pb2.ModelSpec(name=name, signature_name=signature_name),
                    inputs={
                        name: tf.make_tensor_proto(np.resize(value, (size, *value.shape[1:])))
                        for name, value in signature.example_inputs.items()
                    },
                )
                log = prediction_log_pb2.PredictLog(request=request)
                record = prediction_log_pb2.PredictionLog(predict_log=log)
                writer.write(record.SerializeToString())
    return file
