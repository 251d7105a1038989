"""Every word of the panel in every language, and what the core and the database layer say in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

import admin
import gocron
from admin.i18n import LANGUAGES, LOCALES

FOLDER = Path(admin.__file__).parent
TRANSLATED = [LOCALES[language] for language in LANGUAGES if language != "en"]
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")


def file_of(locale: str, kind: str) -> Path:
    return FOLDER / "translations" / locale / "LC_MESSAGES" / f"messages.{kind}"


def catalog(locale: str) -> Catalog:
    with file_of(locale, "po").open("rb") as file:
        return read_po(file, locale=locale)


def words_in_the_code() -> set[str]:
    with (FOLDER / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    keywords = {"_": None, "lazy": None, "gettext": None, "ngettext": (1, 2), "_n": (1, 2)}
    keywords |= {"say": None, "say_n": (1, 2)}
    return {
        key if isinstance(key, str) else key[0]
        for folder in (FOLDER, Path(gocron.__file__).parent)
        for _f, _l, key, _c, _x in extract_from_dir(folder, methods, options, keywords=keywords)
    }


def texts(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


@pytest.mark.parametrize("locale", TRANSLATED)
def test_every_word_of_the_code_is_translated(locale):
    known = {
        message.id if isinstance(message.id, str) else message.id[0]
        for message in catalog(locale)
        if message.id and all(texts(message)) and not message.fuzzy
    }
    assert words_in_the_code() - known == set(), "scripts/translations.sh, then translate"
    assert known - words_in_the_code() == set()


@pytest.mark.parametrize("locale", TRANSLATED)
def test_a_translation_has_the_placeholders_of_the_original(locale):
    for message in catalog(locale):
        originals = [message.id] if isinstance(message.id, str) else message.id
        wanted = set(PLACEHOLDER.findall("".join(originals)))
        for text in texts(message):
            assert set(PLACEHOLDER.findall(text)) <= wanted, message.id
            if len(originals) == 1:
                assert set(PLACEHOLDER.findall(text)) == wanted, message.id


@pytest.mark.parametrize("locale", TRANSLATED)
def test_what_is_compiled_is_what_is_written(locale):
    with file_of(locale, "mo").open("rb") as file:
        compiled = read_mo(file)
    written = catalog(locale)
    assert len(compiled) == len(written)
    for message in written:
        if message.id:
            found = compiled.get(message.id)
            assert found is not None, message.id
            assert texts(found) == texts(message), message.id
