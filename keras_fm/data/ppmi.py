"""Vectors of words from which words stand near them in texts, without a training."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from keras_fm.preprocessing.tokenizers import PAD_ID

WINDOW = 10  # words to each side that count as near, the next one most
SMOOTHING = 0.75  # a power that makes rare words a little less rare, so that they count less
DEVIATION = 0.45  # of the vectors' numbers


def ppmi_embeddings(texts: np.ndarray, count: int, width: int) -> np.ndarray:
    """The vectors of so many numbers of words, float32 `[count, width]`; zeros of the padding.

    The positive pointwise mutual information of each pair of words that stand near each other, and
    of that matrix the largest singular vectors: nearly what word2vec learns.
    Source: Levy and Goldberg 2014, "Neural Word Embedding as Implicit Matrix Factorization"; Levy,
    Goldberg and Dagan 2015, "Improving Distributional Similarity with Lessons Learned from Word
    Embeddings", for the smoothing and for the root of the singular values.

    Args:
        texts: numbers of words `[texts, length]`, 0 for padding.
    """
    near = _cooccurrences(texts, count).tocoo()
    if near.nnz <= width:  # no text to speak of
        return np.zeros((count, width), "float32")
    each = np.asarray(near.sum(axis=1)).ravel()
    smooth = each**SMOOTHING / np.sum(each**SMOOTHING)
    information = np.log(near.data / (each[near.row] * smooth[near.col]))
    positive = information > 0
    places = near.row[positive], near.col[positive]
    matrix = sparse.csr_matrix((information[positive], places), shape=near.shape)
    # A start of its own, so that the same texts give the same vectors.
    left, values, _ = svds(matrix, k=width, v0=np.full(count, count**-0.5))
    vectors = left * np.sqrt(np.maximum(values, 0)) * (each > 0)[:, None]
    return (vectors * DEVIATION / vectors[each > 0].std()).astype("float32")


def _cooccurrences(texts: np.ndarray, count: int) -> sparse.csr_matrix:
    """How often which words stand near each other, the nearer the more, `[count, count]`."""
    total = sparse.csr_matrix((count, count), dtype="float64")
    for distance in range(1, min(WINDOW + 1, texts.shape[1])):
        one, other = texts[:, :-distance], texts[:, distance:]
        words = (one != PAD_ID) & (other != PAD_ID)
        weight = np.full(np.count_nonzero(words), 1 - (distance - 1) / WINDOW)
        total += sparse.csr_matrix((weight, (one[words], other[words])), shape=total.shape)
    return total + total.T
