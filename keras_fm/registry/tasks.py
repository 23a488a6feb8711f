"""The table of tasks: Hugging Face's ID of each, and the package that implements it.

A new task is a package of the shape of `keras_fm.tasks.image_classification` and a line here.
"""

from importlib import import_module
from types import ModuleType

# In the order in which a client tries their codecs: a table's columns may have any name.
TASKS = {
    "image-classification": "keras_fm.tasks.image_classification",
    "image-generation": "keras_fm.tasks.image_generation",
    "text-generation": "keras_fm.tasks.text_generation",
    "fill-mask": "keras_fm.tasks.fill_mask",
    "text-classification": "keras_fm.tasks.text_classification",
    "tabular-classification": "keras_fm.tasks.tabular_classification",
    "tabular-regression": "keras_fm.tasks.tabular_regression",
}


def is_classification(task: str) -> bool:
    """Return whether the models of a task are classifiers."""
    return task.endswith("classification")


def task_module(task: str, name: str) -> ModuleType:
    """Import one module of a task's package, such as its `codec`.

    Args:
        task: The ID of a task in `TASKS`.
        name: The name of the module in the package.
    """
    return import_module(f"{TASKS[task]}.{name}")
