"""Constants of WordPiece tokenization: special tokens, and classes of characters.

Source: Devlin et al. 2018, "BERT" (arXiv:1810.04805), and its `tokenization.py`.
"""

PAD_TOKEN, UNK_TOKEN, CLS_TOKEN, SEP_TOKEN, MASK_TOKEN = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
)
# The first lines of every vocabulary.
SPECIAL_TOKENS = (PAD_TOKEN, UNK_TOKEN, CLS_TOKEN, SEP_TOKEN, MASK_TOKEN)
CONTINUATION_PREFIX = "##"  # of a token that does not begin a word
MAX_WORD_LENGTH = 100  # characters; a longer word is unknown, as in BERT

# Code points, for each library has its own version of Unicode's classes.
SPACE_RANGES = [(0, 0x20), (0x7F, 0xA0), (0xAD, 0xAD), (0x1680, 0x1680), (0x2000, 0x200F)]
SPACE_RANGES += [(0x2028, 0x202F), (0x205F, 0x206F), (0x3000, 0x3000), (0xE000, 0xF8FF)]
SPACE_RANGES += [(0xFEFF, 0xFEFF), (0xFFF0, 0xFFFF), (0xF0000, 0x10FFFF)]
# Punctuation, symbols, emoji, and characters of languages without spaces between words.
SYMBOL_RANGES = [(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E), (0xA1, 0xAC), (0xAE, 0xBF)]
SYMBOL_RANGES += [(0xD7, 0xD7), (0xF7, 0xF7), (0x2010, 0x2027), (0x2030, 0x205E), (0x2070, 0x2BFF)]
SYMBOL_RANGES += [(0x2E00, 0x2FFF), (0x3001, 0x312F), (0x3190, 0xA4CF), (0xF900, 0xFAFF)]
SYMBOL_RANGES += [(0xFE00, 0xFE6F), (0xFF00, 0xFFEF), (0x1F000, 0x1FBFF), (0x20000, 0x3FFFF)]


def character_class(ranges: list[tuple[int, int]], escape: str) -> str:
    """Return the regular expression of a character in one of some ranges.

    Args:
        ranges: The first and the last code point of each.
        escape: How a code point is written.
    """
    pairs = (f"{escape.format(start)}-{escape.format(end)}" for start, end in ranges)
    return f"[{''.join(pairs)}]"


RE2 = r"\x{{{:X}}}"  # the escape of RE2 and Oniguruma


# Regular expressions in the syntax of RE2 (TensorFlow) and Oniguruma (`tokenizers`).
TAGS = r"<[^<>]{1,40}>"  # such as a line break in HTML
SPACES = character_class(SPACE_RANGES, RE2)
SYMBOLS = character_class(SYMBOL_RANGES, RE2)  # each is a word of its own
