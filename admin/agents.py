"""What a client calls itself, in a few words. Pure; nothing is decided by it."""

from __future__ import annotations

BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""In this order: each also names those below it."""

SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)

LONGEST = 60


def in_words(agent: str) -> str:
    """Such as "Firefox, Linux"; of a program what it says first; "" if it says nothing."""
    browser = _first(BROWSERS, agent)
    if browser:
        return ", ".join(filter(None, (browser, _first(SYSTEMS, agent))))
    return (agent.split() or [""])[0][:LONGEST]


def _first(known: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((name for sign, name in known if sign in agent), "")
