"""Word embeddings from co-occurrence counts, without training."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from keras_fm.preprocessing.texts.vocabulary import PAD_ID
from keras_fm.progress import say, track

WINDOW = 10  # context words to each side; the weight falls linearly with the distance
SMOOTHING = 0.75  # exponent of the context distribution: rare context words count less
STANDARD_DEVIATION = 0.45  # of the values of the embeddings
LARGE = 1_000_000  # tokens; the decomposition of their counts takes a while, and has no steps


def ppmi_embeddings(text_ids: np.ndarray, vocabulary_size: int, width: int) -> np.ndarray:
    """Compute embeddings of words, float32 `[vocabulary_size, width]`; of the padding, zeros.

    A truncated singular value decomposition of the positive pointwise mutual information (PPMI) of
    words and their context words: nearly what word2vec learns. Source: Levy and Goldberg 2014,
    "Neural Word Embedding as Implicit Matrix Factorization"; Levy, Goldberg and Dagan 2015,
    "Improving Distributional Similarity with Lessons Learned from Word Embeddings", for the
    smoothing and for the square root of the singular values.

    Args:
        text_ids: Token IDs `[texts, length]`, 0 for padding.
        vocabulary_size: Number of token IDs.
        width: Of an embedding.
    """
    if text_ids.size > LARGE:
        say(f"word embeddings (PPMI) of {text_ids.size:,} tokens; that takes some minutes")
    counts = _cooccurrences(text_ids, vocabulary_size).tocoo()
    if counts.nnz <= width:  # too few words for so many singular values
        return np.zeros((vocabulary_size, width), "float32")
    word_counts = np.asarray(counts.sum(axis=1)).ravel()
    context_distribution = word_counts**SMOOTHING / np.sum(word_counts**SMOOTHING)
    pmi = np.log(counts.data / (word_counts[counts.row] * context_distribution[counts.col]))
    positive = pmi > 0
    cells = counts.row[positive], counts.col[positive]
    ppmi = sparse.csr_matrix((pmi[positive], cells), shape=counts.shape)
    # A fixed start vector: the same texts give the same embeddings.
    start = np.full(vocabulary_size, vocabulary_size**-0.5)
    left, singular_values, _ = svds(ppmi, k=width, v0=start)
    embeddings = left * np.sqrt(np.maximum(singular_values, 0)) * (word_counts > 0)[:, None]
    deviation = embeddings[word_counts > 0].std()
    return (embeddings * STANDARD_DEVIATION / deviation).astype("float32")


def _cooccurrences(text_ids: np.ndarray, vocabulary_size: int) -> sparse.csr_matrix:
    """Count pairs of words within a window, weighted by distance, `[words, context words]`."""
    counts = sparse.csr_matrix((vocabulary_size, vocabulary_size), dtype="float64")
    distances = range(1, min(WINDOW + 1, text_ids.shape[1]))
    for distance in track(distances, "word embeddings (PPMI): pairs of words by their distance"):
        left, right = text_ids[:, :-distance], text_ids[:, distance:]
        is_pair = (left != PAD_ID) & (right != PAD_ID)
        weights = np.full(np.count_nonzero(is_pair), 1 - (distance - 1) / WINDOW)
        counts += sparse.csr_matrix((weights, (left[is_pair], right[is_pair])), shape=counts.shape)
    return counts + counts.T
