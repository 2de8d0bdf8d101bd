"""A name for a session, from its first prompt."""

from __future__ import annotations

import re
import secrets

STOP_WORDS = frozenset(
    "a about all an and any are as at be by can could did do does for from has have how i if in into is it its me my "
    "of on or our please show should tell than that the their them then there these this those to us was we were what "
    "when where which who why will with would you your".split()
)
MOODS = ("amber", "brisk", "dusky", "early", "frank", "gentle", "hollow", "keen", "lucid", "mellow", "nimble", "plain")
THINGS = ("badge", "beacon", "cipher", "harbour", "lantern", "ledger", "padlock", "parcel", "ravine", "signal", "tower")


def propose_name(prompt: str) -> str:
    """Up to four telling words of `prompt`, or two words of ours where it has none."""
    words = [word for word in re.findall(r"[^\W_]{2,24}", prompt[:2000].lower()) if word not in STOP_WORDS]
    return "-".join(words[:4]) or f"{secrets.choice(MOODS)}-{secrets.choice(THINGS)}"
