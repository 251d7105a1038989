"""Secrets at rest: short texts, encrypted with the setting ``secret_key``.

AES-256-GCM under a key that HKDF derives. Each text is bound to a ``context``, which says whose it
is and what for: copied into another row it cannot be opened. A sealed text is ``v1.<name of the
key>.<nonce and ciphertext>``; by the name of its key one tells a changed text from another key.
"""

from __future__ import annotations

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gocron.errors import Unsealed
from gocron.sayings import say

VERSION = "v1"
NONCE_BYTES = 12

NO_KEY = say(
    "there is no secret key: set GOCRON_SECRET_KEY (secret_key in app.ini), the same on all nodes; "
    "make one with: %(command)s",
    command='python3 -c "import secrets; print(secrets.token_urlsafe(48))"',
)
OTHER_KEY = say(
    "GOCRON_SECRET_KEY (secret_key in app.ini) of this node is another one than this was encrypted "
    "with: set the one that was used, the same on all nodes"
)
CHANGED = say("what is stored was changed, or belongs to something else: set it up again")


class Seal:
    """Seals and opens with ``secret``; without one it only says which setting is missing."""

    def __init__(self, secret: str | None) -> None:
        self._secret = secret

    @property
    def usable(self) -> bool:
        """Whether there is a secret."""
        return self._secret is not None

    def seal(self, text: str, context: str) -> str:
        """About 4/3 as long, and 60 characters more. Raises ``Unsealed``: no secret."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        hidden = AESGCM(self._derived("key", 32)).encrypt(nonce, text.encode(), context.encode())
        return ".".join((VERSION, self._name(), base64.urlsafe_b64encode(nonce + hidden).decode()))

    def open(self, sealed: str, context: str) -> str:
        """What was sealed for ``context``. Raises ``Unsealed``: no secret, another one than it
        was sealed with, another context, or a changed text."""
        version, _, rest = sealed.partition(".")
        name, _, body = rest.partition(".")
        own = self._name()
        if version != VERSION:
            raise Unsealed(CHANGED)
        if name != own:
            raise Unsealed(OTHER_KEY)
        try:
            data = base64.urlsafe_b64decode(body)
            key = AESGCM(self._derived("key", 32))
            return key.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], context.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise Unsealed(CHANGED) from None

    def _name(self) -> str:
        """Tells keys apart and nothing else about them."""
        return self._derived("name", 4).hex()

    def _derived(self, purpose: str, length: int) -> bytes:
        if self._secret is None:
            raise Unsealed(NO_KEY)
        info = f"gocron {VERSION} {purpose}".encode()
        return HKDF(SHA256(), length, salt=None, info=info).derive(self._secret.encode())
