"""Sentences that name options of the terminal, in the words of requests."""

from __future__ import annotations

import re

_WORDS = (
    (re.compile(r"--fisher-z \(fisher_z=True\)"), "fisher_z: true"),
    (re.compile(r"--fisher-z \(fisher_z=False\)"), "fisher_z"),
    (re.compile(r"--impute cohort \(Reading\(impute=True\)\)"), "impute: true"),
    (re.compile(r"(a bundle for \d+ regions): dtb-run bundles"), r"\1, where one is served"),
)


def in_request_words(sentence: str) -> str:
    """A sentence of the library, for somebody who sends requests.

    Checks are the same for files and for requests, and say which option of a command would help.
    Who sends a request has keys instead.
    """
    for pattern, words in _WORDS:
        sentence = pattern.sub(words, sentence)
    return sentence
