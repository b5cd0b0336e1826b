"""The filter line: words that must be there, `!word` that must not, `column:word` in one column; fuzzy at last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a filter, in lower case."""

    word: str
    column: str | None = None
    inverse: bool = False


def parse(text: str) -> tuple[Term, ...]:
    """The terms of what was typed; a `!` or `column:` without a word is not finished and says nothing yet."""
    terms = []
    for raw in text.lower().split():
        inverse = raw.startswith("!")
        column, colon, word = raw.removeprefix("!").partition(":")
        if not colon:
            column, word = "", column
        if word:
            terms.append(Term(word, column or None, inverse))
    return tuple(terms)


def matches(terms: tuple[Term, ...], cells: Mapping[str, str], *, fuzzily: bool = False) -> bool:
    """Whether a row (text by column title, both in lower case) passes all terms."""
    return all(_passes(term, cells, fuzzily=fuzzily) for term in terms)


def _passes(term: Term, cells: Mapping[str, str], *, fuzzily: bool) -> bool:
    if term.column is not None:
        named = [text for title, text in cells.items() if title.startswith(term.column)]
        found = any(term.word in text for text in named)
    else:
        found = any(term.word in text for text in cells.values())
        if fuzzily and not found and not term.inverse:
            found = any(fuzzy(term.word, text) for text in cells.values())
    return found != term.inverse


def fuzzy(word: str, text: str) -> bool:
    """Whether the letters of `word` (at least three) stand in `text` in this order, the first at a word's start."""
    if len(word) < 3:
        return False
    for start, character in enumerate(text):
        if character == word[0] and (start == 0 or not text[start - 1].isalnum()):
            rest = iter(text[start:])
            if all(letter in rest for letter in word):
                return True
    return False
