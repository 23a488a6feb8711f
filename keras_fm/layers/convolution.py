"""A convolution that trains faster on a CPU than Keras' own, which it is otherwise."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("keras_fm")
class PackedConv2D(keras.layers.Conv2D):
    """A "same" convolution of stride 1 whose kernel's gradient is quick on small maps.

    oneDNN computes that gradient by rows of the image, and a row of 7 or 3 pixels leaves most of a
    vector or matrix unit idle. So the gradient is taken on `pack` images laid side by side, a
    column of zeros between them: the same sum. In bfloat16 with AMX, for 512 images: 7x7x256
    193 -> 77 ms, 3x3x256 80 -> 20 ms, 15x15x64 to 256 105 -> 96 ms. With `pack=1` it is Keras' own
    convolution.
    """

    def __init__(self, filters: int, kernel_size: int, *, pack: int = 8, **options: Any) -> None:
        options = {"use_bias": False, **options}
        super().__init__(filters, kernel_size, padding="same", **options)
        self.pack = pack

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Convolves."""
        quick = training and self.pack > 1 and not self.use_bias
        if not quick or keras.backend.backend() != "tensorflow":
            return super().call(inputs)
        return _convolve(inputs, tf.convert_to_tensor(self.kernel), self.pack)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        config = {**super().get_config(), "pack": self.pack}
        del config["padding"]
        return config


def _convolve(images: Any, kernel: Any, pack: int) -> Any:
    def side_by_side(maps: tf.Tensor) -> tf.Tensor:
        # Zeros to a whole number of packs add nothing to the sum.
        missing = -tf.shape(maps)[0] % pack
        maps = tf.pad(maps, [[0, missing], [0, 0], [0, 1], [0, 0]])
        _, rows, columns, channels = tf.unstack(tf.shape(maps))
        maps = tf.reshape(maps, (-1, pack, rows, columns, channels))
        maps = tf.transpose(maps, (0, 2, 1, 3, 4))
        return tf.reshape(maps, (-1, rows, pack * columns, channels))

    @tf.custom_gradient
    def convolve(images: tf.Tensor, kernel: tf.Tensor) -> Any:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            to_images = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(images),
                filter=kernel,
                out_backprop=upstream,
                strides=[1, 1, 1, 1],
                padding="SAME",
            )
            to_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=side_by_side(images),
                filter_sizes=kernel.shape.as_list(),
                out_backprop=side_by_side(upstream),
                strides=[1, 1, 1, 1],
                padding="SAME",
            )
            return to_images, to_kernel

        return tf.nn.conv2d(images, kernel, 1, "SAME"), gradient

    return convolve(images, kernel)
