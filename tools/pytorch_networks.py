"""Networks of the zoo in PyTorch, as one would write them there, for `benchmark_training.py`.

Shapes and numbers of parameters are those of `zoo/*/model.py`; a test compares them. Images are
`[batch, 3, 32, 32]`, token ids `[batch, length]` with 0 for padding.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class CifarCnn(nn.Module):
    """`cifar_cnn`: a frozen 2x2 convolution, three blocks of two 3x3 convolutions, max pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2).requires_grad_(False)
        self.blocks = nn.Sequential(_block(24, 64), _block(64, 256), _block(256, 256))
        self.logits = nn.Linear(256, 10, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits `[batch, 10]`."""
        x = self.blocks(functional.relu(self.whiten((images - 120) / 64)))
        return self.logits(x.amax((2, 3)) / 9)


def _block(inputs: int, filters: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, filters, 3, padding=1),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(filters, affine=True),
        nn.ReLU(),
        nn.Conv2d(filters, filters, 3, padding=1),
        nn.BatchNorm2d(filters, affine=True),
        nn.ReLU(),
    )


class Lstm(nn.Module):
    """`lstm`: a bidirectional LSTM on packed sequences, max pooling over the positions."""

    def __init__(self, vocabulary_size: int = 20_002, width: int = 128, units: int = 256) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, width)
        self.lstm = nn.LSTM(width, units, batch_first=True, bidirectional=True)
        self.logits = nn.Linear(2 * units, 2)

    def forward(self, text_ids: Tensor) -> Tensor:
        """Return logits `[batch, 2]`."""
        lengths = (text_ids != 0).sum(1).clamp(min=1)
        x = functional.dropout1d(self.embedding(text_ids).mT, 0.25, self.training).mT
        packed = nn.utils.rnn.pack_padded_sequence(
            x, lengths, batch_first=True, enforce_sorted=False
        )
        outputs, _ = nn.utils.rnn.pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, padding_value=-torch.inf
        )
        return self.logits(functional.dropout(outputs.amax(1), 0.5, self.training))


class MiniBert(nn.Module):
    """`mini_bert`: PyTorch's own encoder layers, pre-norm, mean pooling over the positions."""

    def __init__(self, vocabulary_size: int = 8192, width: int = 256) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, width)
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, dropout=0.1, batch_first=True, norm_first=True, bias=False
        )
        self.encoder = nn.TransformerEncoder(
            layer, 4, nn.LayerNorm(width, bias=False), enable_nested_tensor=False
        )
        self.logits = nn.Linear(width, 2)

    def forward(self, text_ids: Tensor) -> Tensor:
        """Return logits `[batch, 2]`."""
        padding = text_ids == 0
        x = self.encoder(self.embedding(text_ids), src_key_padding_mask=padding)
        words = (~padding)[..., None].to(x.dtype)
        return self.logits((x * words).sum(1) / words.sum(1).clamp(min=1))


NETWORKS = {"cifar_cnn": CifarCnn, "lstm": Lstm, "mini_bert": MiniBert}


def optimizer_of(network: nn.Module, recipe: Any) -> torch.optim.Optimizer:
    """Return PyTorch's optimizer of a recipe, at its highest learning rate."""
    parameters = [value for value in network.parameters() if value.requires_grad]
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, rate, recipe.momentum, weight_decay=decay, nesterov=recipe.nesterov
        )
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer]
    return kind(parameters, rate, weight_decay=decay)


class Trainer:
    """Trains a network on `(inputs, targets)` batches, as `fit` does.

    Args:
        name: Of the model.
        recipe: Its recipe: optimizer, label smoothing and clipping.
        uses_bfloat16: Whether `torch.autocast` computes in bfloat16.
    """

    def __init__(self, name: str, recipe: Any, uses_bfloat16: bool) -> None:
        torch.manual_seed(0)
        self.network = NETWORKS[name]().to(memory_format=torch.channels_last)
        self.optimizer = optimizer_of(self.network, recipe)
        self.loss = nn.CrossEntropyLoss(label_smoothing=getattr(recipe, "label_smoothing", 0.0))
        self.clipnorm = recipe.global_clipnorm
        self.uses_bfloat16 = uses_bfloat16

    def fit(self, batches: Any, **_: Any) -> None:
        """Train on NumPy batches: images `[batch, 32, 32, 3]`, probabilities `[batch, classes]`."""
        self.network.train()
        for inputs, targets in batches:
            x = torch.from_numpy(inputs)
            if x.ndim == 4:  # as channels_last, without a copy
                x = x.permute(0, 3, 1, 2).float()
            self.optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=self.uses_bfloat16):
                logits = self.network(x.long() if x.ndim == 2 else x)
            self.loss(logits.float(), torch.from_numpy(targets)).backward()
            if self.clipnorm:
                nn.utils.clip_grad_norm_(self.network.parameters(), self.clipnorm)
            self.optimizer.step()
