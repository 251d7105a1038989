"""Codes of a second factor: those that an app shows for thirty seconds (TOTP, RFC 6238), and those
that somebody keeps on paper. Pure, drawing them aside."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime

import pyotp

STEP_S = 30
DRIFT = 1
"""So many steps before and after the present one count: clocks of phones are not exact."""

RECOVERY_CODES = 10
RECOVERY_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that look like others."""

GROUPS, GROUP = 4, 4
"""79 bits a code, so that a plain hash hides it."""


def new_secret() -> str:
    """160 bits, as apps read them (base 32)."""
    return pyotp.random_base32()


def uri(secret: str, username: str, issuer: str) -> str:
    """What an app reads from the picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=issuer)


def matching_step(secret: str, code: str, at: datetime) -> int | None:
    """Of which thirty seconds since 1970 this is the code; None if of none that count ``at``."""
    now = int(at.timestamp()) // STEP_S
    generator = pyotp.HOTP(secret)
    found = None
    for step in range(now - DRIFT, now + DRIFT + 1):
        if hmac.compare_digest(generator.at(step), code):
            found = step
    return found


def plain(typed: str) -> str:
    """A code as it is compared: without the blanks and dashes that make it easy to read."""
    return re.sub(r"[\s-]", "", typed).lower()


def is_of_app(code: str) -> bool:
    """Whether a plain code can be one of an app."""
    return re.fullmatch(r"[0-9]{6}", code) is not None


def is_recovery(code: str) -> bool:
    """Whether a plain code can be a recovery code."""
    return re.fullmatch(f"[{RECOVERY_LETTERS}]{{{GROUPS * GROUP}}}", code) is not None


def new_recovery_codes() -> list[str]:
    """To be shown once."""

    def group() -> str:
        return "".join(secrets.choice(RECOVERY_LETTERS) for _letter in range(GROUP))

    return ["-".join(group() for _group in range(GROUPS)) for _code in range(RECOVERY_CODES)]


def recovery_hash(user_id: int, code: str) -> str:
    """Of a plain code of this user."""
    return hashlib.sha256(f"{user_id}:{plain(code)}".encode()).hexdigest()
