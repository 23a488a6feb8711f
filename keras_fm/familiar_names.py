"""Options by the names that they have in Keras, timm, Hugging Face and scikit-learn.

One table for all functions: the error of an unknown option says what is meant by it here.
"""

from collections.abc import Iterable

from keras_fm.errors import suggest

# Other names of our options; the first one that a function has is meant.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "lr": ("learning_rate",),
    "learning_rate_init": ("learning_rate",),
    "base_lr": ("learning_rate",),
    "max_lr": ("learning_rate",),
    "num_epochs": ("epochs",),
    "n_epochs": ("epochs",),
    "nb_epoch": ("epochs",),
    "max_epochs": ("epochs",),
    "num_train_epochs": ("epochs",),
    "max_iter": ("epochs",),
    "bs": ("batch_size",),
    "train_batch_size": ("batch_size",),
    "per_device_train_batch_size": ("batch_size",),
    "opt": ("optimizer",),
    "optim": ("optimizer",),
    "wd": ("weight_decay",),
    "clipnorm": ("global_clipnorm",),
    "max_grad_norm": ("global_clipnorm",),
    "gradient_clip_val": ("global_clipnorm",),
    "warmup_ratio": ("warmup_fraction",),
    "warmup": ("warmup_fraction",),
    "lr_scheduler_type": ("schedule",),
    "lr_schedule": ("schedule",),
    "scheduler": ("schedule",),
    "early_stopping": ("patience",),
    "early_stopping_patience": ("patience",),
    "n_iter_no_change": ("patience",),
    "label_smoothing_factor": ("label_smoothing",),
    "smoothing": ("label_smoothing",),
    "class_weights": ("class_weight",),
    "lora_r": ("lora_rank",),
    "mixed_precision": ("precision",),
    "dtype": ("precision",),
    "torch_dtype": ("precision",),
    "fp16": ("precision",),
    "bf16": ("precision",),
    "random_state": ("seed",),
    "random_seed": ("seed",),
    "output_dir": ("run_dir", "directory"),
    "log_dir": ("run_dir",),
    "logdir": ("run_dir",),
    "save_dir": ("run_dir", "directory"),
    "resume_from_checkpoint": ("resume", "weights"),
    "checkpoint": ("weights", "init_from"),
    "checkpoint_path": ("weights", "init_from"),
    "val_split": ("validation_split",),
    "test_size": ("validation_split",),
    "validation_fraction": ("validation_split",),
    "val_data": ("validation_data",),
    "validation_dataset": ("validation_data",),
    "eval_dataset": ("validation_data", "data"),
    "train_dataset": ("data",),
    "dataset": ("data",),
    "x": ("data", "inputs"),
    "images": ("inputs", "data"),
    "texts": ("inputs", "data"),
    "y": ("target",),
    "label": ("target",),
    "label_column": ("target",),
    "target_column": ("target",),
    "text_column": ("text",),
    "labels": ("class_names",),
    "label_names": ("class_names",),
    "target_names": ("class_names",),
    "id2label": ("class_names",),
    "classes": ("num_classes", "class_names"),
    "n_classes": ("num_classes",),
    "nb_classes": ("num_classes",),
    "num_labels": ("num_classes",),
    "progress_bar": ("verbose",),
    "quiet": ("verbose",),
    "model": ("name_or_model", "name"),
    "model_name": ("name_or_model", "name"),
    "name": ("name_or_model",),
    "k": ("top_k",),
    "topk": ("top_k",),
    "max_new_tokens": ("length",),
    "max_length": ("length",),
    "max_len": ("max_length",),
    "truncation": ("max_length",),
    "features_only": ("include_top",),
    "global_pool": ("include_top",),
    "pooling": ("include_top",),
    "img_size": ("image_size",),
    "input_shape": ("image_size",),
    "input_size": ("image_size",),
    "dropout_rate": ("dropout",),
    "drop_rate": ("dropout",),
    "num_workers": ("device",),
    "device_map": ("device",),
}

FEATURES = (
    "a model's features are the output of its layer 'embedding': "
    'keras.Model(model.input, model.get_layer("embedding").output)'
)
_TRAINING_OPTION = "It is an option of train and fine_tune."
_RECIPE_FIELD = "It is a field of a training's recipe, an option of train and fine_tune."
_ANY = ""  # function

# What an option does not do here, by function.
HINTS: dict[str, dict[str, str]] = {
    "pretrained": {
        "get": "The pretrained weights are the default; weights=None is for random ones.",
        "train": "train starts from random weights, or from those that init_from= names; "
        "fine_tune starts from pretrained ones.",
        "fine_tune": "fine_tune starts from pretrained weights; train starts from random ones.",
        _ANY: "A name stands for the pretrained model; for random weights pass "
        "keras_fm.get(name, weights=None).",
    },
    "weights": {
        "train": "init_from= names the weights that a training starts from.",
        _ANY: 'A name may have a tag, such as "cifar_cnn.v1", or pass '
        "keras_fm.get(name, weights=...).",
    },
    "include_top": {
        "get": f"For a model without its head: {FEATURES}; num_classes=5 is for another head.",
        "train": "The head of the model is made for the classes of the data.",
        "fine_tune": "The head is replaced by one for the classes of the data.",
        _ANY: f"For a model without its head: {FEATURES}, of keras_fm.get(name).",
    },
    "num_classes": {
        "train": "The classes are those of the data.",
        "fine_tune": "The classes are those of the data; class_names= names them where the "
        "targets are indices.",
        _ANY: "The classes are those of the model; keras_fm.get(name, num_classes=5) builds one "
        "for others, and fine_tune trains it.",
    },
    "top_k": {
        "get": "It is an option of a pipeline: keras_fm.pipeline(name)(inputs, top_k=5).",
        "evaluate": "The accuracy is that of the most probable class.",
        _ANY: "It is an option of a pipeline: keras_fm.pipeline(name)(inputs, top_k=5).",
    },
    "validation_split": {
        "evaluate": "It is an option of train and fine_tune; evaluate takes all examples of data= "
        "or split=.",
        _ANY: _TRAINING_OPTION,
    },
    "validation_data": {
        "train": "train validates on a part of the data, which validation_split= sets; fine_tune "
        "takes validation_data=.",
        "evaluate": "data= takes what to evaluate on.",
        _ANY: "It is an option of fine_tune.",
    },
    "batch_size": {
        "get": _RECIPE_FIELD,
        _ANY: "Inputs are cut into batches that fit into memory; pass some of them at a time where "
        "they do not.",
    },
    "max_length": {
        _ANY: "A text is cut at the longest length that the model reads; keras_fm.info(name) has "
        "it."
    },
    "dropout": {
        "get": "This model has no dropout rate to set.",
        _ANY: "The dropout rates are those of the model; a training is regularized by the recipe's "
        "weight_decay, label_smoothing, patience and augmentation.",
    },
    "image_size": {_ANY: "Images of any size are resized to that of the model."},
    "precision": {
        "get": "A model is float32; a training's recipe has precision=, and so has export."
    },
    "device": {_ANY: "Keras places a model itself; CUDA_VISIBLE_DEVICES says which GPUs it sees."},
    "task": {
        _ANY: "A model's name says its task; keras_fm.list_models(task=...) lists those of one."
    },
    "loss": {_ANY: "The loss is that of the model's task."},
    "metrics": {_ANY: "The metrics are those of the model's task."},
    "steps_per_epoch": {
        _ANY: "An epoch is a pass over the data, or the part of it that epochs_per_pass= says."
    },
    "shuffle": {_ANY: "The examples are shuffled in each epoch, by seed=."},
    "learning_rate": {_ANY: _RECIPE_FIELD},
    "epochs": {_ANY: _RECIPE_FIELD},
    "optimizer": {_ANY: _RECIPE_FIELD},
    "weight_decay": {_ANY: _RECIPE_FIELD},
    "patience": {_ANY: _RECIPE_FIELD},
    "label_smoothing": {_ANY: _RECIPE_FIELD},
    "callbacks": {_ANY: _TRAINING_OPTION},
    "run_dir": {_ANY: _TRAINING_OPTION},
    "calibrate": {_ANY: "It is an option of train, fine_tune and export."},
    "coverage": {_ANY: "It is an option of train, fine_tune and export."},
    "slice_by": {_ANY: "It is an option of evaluate and compare."},
    "method": {_ANY: "It is an option of explain."},
    "seed": {_ANY: "Nothing is drawn at random here."},
}


def suggest_option(name: str, known: Iterable[str], function: str = "") -> str:
    """Return a sentence that says which option is meant by a name that is none of `known`.

    Args:
        name: What the user wrote.
        known: The options that there are.
        function: Its name, such as `"train"`.
    """
    known = list(known)
    familiar = name.lower().replace("-", "_")
    synonyms = SYNONYMS.get(familiar, ())
    for synonym in (familiar, *synonyms):
        if synonym in known:
            return f"Did you mean {synonym!r}?"
    for candidate in (familiar, *synonyms):
        hints = HINTS.get(candidate, {})
        hint = hints.get(function, hints.get(_ANY))
        if hint:
            return hint
    return suggest(name, known)
