"""Uses of the public interface that type checkers must accept; `test_types.py` runs mypy on it."""

from pathlib import Path

import keras_fm
from keras_fm import adapters, data

run: keras_fm.Run = keras_fm.train(
    "cifar_cnn",
    data="sample",
    epochs=2,
    learning_rate=0.1,
    flip="random",
    image_sizes=[24, 32],
    optimizer="sgd",
    precision="float32",
)
table = keras_fm.train("mlp", data="houses.csv", target="price", problem_type="regression")
tuned = keras_fm.fine_tune(
    "lstm", Path("reviews.csv"), text="body", strategy="lora", lora_rank=4, class_weight="balanced"
)
print(tuned.report(), tuned.metrics["accuracy"], keras_fm.evaluate(tuned.model, split="train"))
version: Path = keras_fm.export("mlp", "exports", optimize_for="latency", precision="bfloat16")
explanation: keras_fm.Explanation = keras_fm.explain("lstm", ["good"], method="attention")
labels: list[str] = keras_fm.info("cifar_cnn").labels
names: list[str] = keras_fm.list_models("c*", pretrained=True)
sample: data.Examples = data.sample("cifar10")
classify = keras_fm.pipeline(Path("runs/mine"), top_k=3)
print(classify("photo.jpg", top_k=None), classify.preprocess(["photo.jpg"]))
client = keras_fm.Client("http://localhost:8501", "cifar_cnn", timeout=5)
adapters.enable(keras_fm.get("lstm"), 4)
try:
    keras_fm.verify("cifar_cnn")
except keras_fm.KerasFmError as error:
    print(error)
