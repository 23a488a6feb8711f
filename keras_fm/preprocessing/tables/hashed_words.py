"""Bags of hashed words of a table's texts, in TensorFlow ops.

Source: Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning"
(arXiv:0902.2206).
"""

from __future__ import annotations

from keras_fm.lazy_imports import tf

# Letters, marks and digits of any script are words; all else separates them.
_SEPARATORS = r"[^\p{L}\p{M}\p{N}]+"


def split_words(texts: tf.Tensor) -> tf.RaggedTensor:
    """Return the words of texts `[rows]`, in lower case, `[rows, (words)]`."""
    texts = tf.strings.lower(texts, encoding="utf-8")
    return tf.strings.split(tf.strings.regex_replace(texts, _SEPARATORS, " "))


def count_words(texts: tf.Tensor, buckets: int) -> tf.Tensor:
    """Count the words of texts by the buckets that they are hashed to.

    Args:
        texts: Strings `[rows]`; one without a word, such as "", has no counts.
        buckets: The number of buckets; words that share one are counted as the same.

    Returns:
        int32 `[rows, buckets]`.
    """
    words = split_words(texts)
    hashed = tf.ragged.map_flat_values(tf.strings.to_hash_bucket_fast, words, buckets)
    counts = tf.math.bincount(
        tf.cast(hashed, tf.int32), axis=-1, minlength=buckets, maxlength=buckets, dtype=tf.int32
    )
    return tf.ensure_shape(counts, (None, buckets))
