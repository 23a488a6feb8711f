"""WordPiece in plain Python: texts to numbers of pieces, without TensorFlow.

What `tokenizing.Pieces` does in a graph, for those who send an export `token_ids`, and to check it
by. Words are cut into the longest pieces that the vocabulary has, from the left on.
Source: Devlin et al. 2018, "BERT" (arXiv:1810.04805), and its `tokenization.py`.
"""

import re
from pathlib import Path

PAD_TOKEN, UNK_TOKEN, CLS_TOKEN, SEP_TOKEN, MASK_TOKEN = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
)
SPECIAL_TOKENS = (
    PAD_TOKEN,
    UNK_TOKEN,
    CLS_TOKEN,
    SEP_TOKEN,
    MASK_TOKEN,
)  # the first lines of every vocabulary
CONTINUATION_PREFIX = "##"  # in front of a piece that does not begin a word
MAX_WORD_LENGTH = 100  # characters; a longer one is unknown, as BERT has it

# Written out, for Python and TensorFlow follow different versions of Unicode's classes.
_SPACES = [(0, 0x20), (0x7F, 0xA0), (0xAD, 0xAD), (0x1680, 0x1680), (0x2000, 0x200F)]
_SPACES += [(0x2028, 0x202F), (0x205F, 0x206F), (0x3000, 0x3000), (0xE000, 0xF8FF)]
_SPACES += [(0xFEFF, 0xFEFF), (0xFFF0, 0xFFFF), (0xF0000, 0x10FFFF)]
# Punctuation, symbols, pictures, and signs of languages that write no spaces.
_ALONE = [(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E), (0xA1, 0xAC), (0xAE, 0xBF)]
_ALONE += [(0xD7, 0xD7), (0xF7, 0xF7), (0x2010, 0x2027), (0x2030, 0x205E), (0x2070, 0x2BFF)]
_ALONE += [(0x2E00, 0x2FFF), (0x3001, 0x312F), (0x3190, 0xA4CF), (0xF900, 0xFAFF)]
_ALONE += [(0xFE00, 0xFE6F), (0xFF00, 0xFFEF), (0x1F000, 0x1FBFF), (0x20000, 0x3FFFF)]


def _class(ranges: list[tuple[int, int]], form: str) -> str:
    return "[" + "".join(f"{form % first}-{form % last}" for first, last in ranges) + "]"


TAGS = r"<[^<>]{1,40}>"  # such as a review's line breaks
# As RE2 writes it, TensorFlow's regular expressions.
SPACES_RE2, SYMBOLS_RE2 = (_class(ranges, r"\x{%X}") for ranges in (_SPACES, _ALONE))
_SPACES_RE, _ALONE_RE = (re.compile(_class(ranges, r"\U%08X")) for ranges in (_SPACES, _ALONE))
_TAGS_RE = re.compile(TAGS)


def split(text: str | bytes) -> list[str]:
    """The lower-case words and single signs of a text; bytes are UTF-8."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    text = raw.decode("utf-8", "replace").replace("\ufffd", " ").lower()
    text = _TAGS_RE.sub(" ", text)
    return _ALONE_RE.sub(r" \g<0> ", _SPACES_RE.sub(" ", text)).split()


class WordPiece:
    """A vocabulary file of pieces, one a line, `SPECIAL` first.

    `wordpiece("a film")` -> `[2, 42, 258, 3]`.
    """

    def __init__(self, file: Path) -> None:
        pieces = file.read_text("utf-8").split("\n")[:-1]
        self.numbers = {piece: number for number, piece in enumerate(pieces)}
        self.longest_piece = max(map(len, pieces))

    def __call__(self, text: str | bytes, longest: int = 512) -> list[int]:
        """Numbers of the pieces, `BEGIN` before and `END` behind them.

        Args:
            longest: how many there are at most; of a longer text the middle is left out.
        """
        numbers = [number for word in split(text) for number in self._cut(word)]
        kept = longest - 2
        if len(numbers) > kept:
            numbers = numbers[: (kept + 1) // 2] + numbers[len(numbers) - kept // 2 :]
        return [self.numbers[CLS_TOKEN], *numbers, self.numbers[SEP_TOKEN]]

    def _cut(self, word: str) -> list[int]:
        start, found = 0, []
        while start < len(word) <= MAX_WORD_LENGTH:
            prefix = CONTINUATION_PREFIX if start else ""
            for end in range(min(len(word), start + self.longest_piece), start, -1):
                number = self.numbers.get(prefix + word[start:end])
                if number is not None:
                    break
            else:
                break
            found.append(number)
            start = end
        return found if start == len(word) else [self.numbers[UNK_TOKEN]]
