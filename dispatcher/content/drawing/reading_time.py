"""Estimates how many minutes an issue takes to read."""

import re

# Brysbaert 2019: 238 words a minute in English, silently; Chinese is read at some 400 characters.
_WORDS_A_MINUTE = 238
_CHARACTERS_A_MINUTE = 400
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af]")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_ADDRESS = re.compile(r"https?://\S+|zq\d+[xspw]qz")


def minutes_to_read(text: str) -> int:
    """At least 1; addresses and personal fields do not count."""
    prose = _ADDRESS.sub(" ", text)
    characters = len(_CJK.findall(prose))
    words = len(_WORD.findall(_CJK.sub(" ", prose)))
    return max(round(words / _WORDS_A_MINUTE + characters / _CHARACTERS_A_MINUTE), 1)
