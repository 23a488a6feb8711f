"""Uses that type checkers must refuse, each in a line of its own; `test_types.py` runs mypy."""

import keras_fm
from keras_fm import data

keras_fm.trian("mlp")
print(keras_fm.foo)
data.smaple("cifar10")
keras_fm.train("mlp", epoch=2)
keras_fm.train("mlp", epochs="2")
keras_fm.train("mlp", optimizer="rmsprop")
keras_fm.train("mlp", precision="float16")
keras_fm.train("mlp", problem_type="regresion")
keras_fm.fine_tune("lstm", "reviews.csv", strategy="heads")
keras_fm.fine_tune("lstm", "reviews.csv", lr=0.1)
keras_fm.export("mlp", "exports", optimize_for="speed")
keras_fm.export("mlp", "exports", precision="float16")
keras_fm.explain("lstm", "good", method="lime")
keras_fm.evaluate("mlp", split="tets")
keras_fm.pipeline("mlp", top_k="3")
print(keras_fm.info("mlp").label)
