"""Sealed texts: opened by whom they are for, with the key they were sealed with."""

from __future__ import annotations

import pytest

from gocron.core.sealing import Seal
from gocron.errors import Unsealed

SECRET = "a secret key of tests, and of nothing else"
MINE = "second factor of user 1"


def test_what_was_sealed_is_opened_and_is_not_to_be_read():
    sealed = Seal(SECRET).seal("JBSWY3DPEHPK3PXP", MINE)
    assert Seal(SECRET).open(sealed, MINE) == "JBSWY3DPEHPK3PXP"
    assert sealed.startswith("v1.")
    assert "JBSWY3DPEHPK3PXP" not in sealed
    assert len(Seal(SECRET).seal("x" * 32, MINE)) <= 255
    assert sealed != Seal(SECRET).seal("JBSWY3DPEHPK3PXP", MINE)


def test_another_key_is_told_from_a_changed_text():
    sealed = Seal(SECRET).seal("text", MINE)
    with pytest.raises(Unsealed, match="another one than this was encrypted with"):
        Seal(SECRET + "!").open(sealed, MINE)
    for wrong in ("", "v1", "v2" + sealed[2:], sealed[:-4] + "AAAA", sealed[:20], sealed + "é"):
        with pytest.raises(Unsealed):
            Seal(SECRET).open(wrong, MINE)


def test_what_is_sealed_for_one_user_is_nothing_to_another():
    with pytest.raises(Unsealed, match="belongs to something else"):
        Seal(SECRET).open(Seal(SECRET).seal("text", MINE), "second factor of user 2")


def test_without_a_key_it_is_said_how_to_make_one():
    assert not Seal(None).usable
    with pytest.raises(Unsealed, match=r"GOCRON_SECRET_KEY.*token_urlsafe"):
        Seal(None).seal("text", MINE)
    with pytest.raises(Unsealed, match="GOCRON_SECRET_KEY"):
        Seal(None).open("v1.x.y", MINE)
