"""The WordPiece tokenizer of the `tokenizers` library, set up to tokenize as keras_fm does."""

from collections.abc import Callable
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from keras_fm.preprocessing.texts import wordpiece
from keras_fm.preprocessing.texts.vocabulary import token_names


def reference_tokenizer(file: Path) -> Callable[..., list[int]]:
    """Return a function of a text and a maximum length, of a vocabulary file."""
    ids = {token: token_id for token_id, token in enumerate(token_names(file, "wordpiece"))}
    tokenizer = Tokenizer(
        models.WordPiece(
            ids,
            unk_token=wordpiece.UNK_TOKEN,
            max_input_chars_per_word=wordpiece.MAX_WORD_LENGTH,
            continuing_subword_prefix=wordpiece.CONTINUATION_PREFIX,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(regex), " ") for regex in (wordpiece.TAGS, wordpiece.SPACES)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(wordpiece.SYMBOLS), "isolated"),
        ]
    )

    def tokenize(text: str | bytes, max_length: int = 512) -> list[int]:
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        # `tokenizers` takes valid Unicode alone, and its lower case knows no final sigma.
        text = raw.decode("utf-8", "replace").replace("\ufffd", " ").lower()
        inner = tokenizer.encode(text, add_special_tokens=False).ids
        num_inner = max_length - 2
        if len(inner) > num_inner:
            inner = inner[: (num_inner + 1) // 2] + inner[len(inner) - num_inner // 2 :]
        return [ids[wordpiece.CLS_TOKEN], *inner, ids[wordpiece.SEP_TOKEN]]

    return tokenize
