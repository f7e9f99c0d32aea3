"""What was probably meant by a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 12


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a remedy: the known name nearest to *word* without case, or all of them when there are few."""
    folded = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), folded, n=1, cutoff=0.5)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    names = list(folded.values())
    more = ", …" if len(names) > _SHOWN else ""
    return f"known are {', '.join(names[:_SHOWN])}{more}"
