"""The recipe fields as keyword arguments of `train` and `fine_tune`, for type checkers and editors.

The classes of the recipes say what a field does and check its value; a test compares both.
"""

from typing import Literal, TypedDict


class RecipeFields(TypedDict, total=False):
    """The fields of all tasks' recipes; which of them a model takes, its task says."""

    adversarial_epsilon: float
    batch_size: int
    beta_1: float
    beta_2: float
    cell_dropout: float
    class_weight: Literal["none", "balanced"]
    cutout: int
    dataset: str
    discriminator_learning_rate: float
    distillation_temperature: float
    distillation_weight: float
    drop_remainder: bool
    ema_momentum: float
    epochs: int
    epochs_per_pass: int
    flip: Literal["none", "random", "alternating"]
    folds: int
    generated_ratio: float
    global_clipnorm: float
    image_size_starts: list[float]
    image_sizes: list[int]
    label_smoothing: float
    learning_rate: float
    long_sequence_from: float
    long_sequence_length: int
    lora_alpha: float
    lora_rank: int
    mlm_probability: float
    momentum: float
    nesterov: bool
    num_cycles: int
    optimizer: Literal["sgd", "adam", "adamw", "muon"]
    passes_per_epoch: int
    patience: int
    precision: Literal["auto", "float32", "bfloat16"]
    r1_gamma: float
    random_translation: int
    schedule: Literal["constant", "linear"]
    sequence_length: int
    teacher: str
    text_buckets: int
    token_dropout: float
    train_batch_norm: bool
    trainable: Literal["all", "head", "adapters"]
    unlabeled_split: str
    validation_examples: int
    warmup_fraction: float
    weight_decay: float
