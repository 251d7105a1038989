"""What a value may be, in words."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from gocron.allowed import Allowed, allowed, found, meant, one_of


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Example(BaseModel):
    choice: Literal["a", "b", "c"]
    colour: Colour
    flag: bool
    port: Annotated[int, Field(ge=1, le=65_535)]
    ratio: Annotated[float, Field(gt=0, le=1)]
    number: int
    name: Annotated[str, Field(min_length=1, max_length=9)]
    tag: Annotated[str, Field(max_length=9)]
    text: str
    mapping: Annotated[dict[str, str], Field(max_length=3)]
    marked: Annotated[str, Field(pattern="^x+$"), Allowed("only the letter x")]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("choice", "a, b or c"),
        ("colour", "red or green"),
        ("flag", "true or false (also 1 or 0, yes or no, on or off)"),
        ("port", "a whole number from 1 to 65535"),
        ("ratio", "a number above 0, at most 1"),
        ("number", "a whole number"),
        ("name", "a text of 1 to 9 characters"),
        ("tag", "a text of at most 9 characters"),
        ("text", "a text"),
        ("mapping", "a mapping of names to texts of at most 3 entries"),
        ("marked", "only the letter x"),
    ],
)
def test_what_is_allowed_is_read_from_the_field(field, words):
    assert allowed(Example.model_fields[field]) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"),
        (True, "true"),
        ("a\nb", r"'a\nb'"),
        ("x" * 81, f"{'x' * 20!r}… (81 characters)"),
        (1.5, "1.5"),
        (10**40, "a far larger number"),
        (-(10**40), "a far smaller number"),
        (SecretStr("hush"), "(hidden)"),
        ({"a": 1}, "a mapping"),
        ([1, 2], "a list"),
        (object, "a type"),
    ],
)
def test_a_wrong_value_is_shown_as_short_as_it_can_be_recognised_by(value: Any, words: str):
    assert found(value) == words


def test_a_word_with_a_typing_mistake_is_the_only_one_that_was_meant():
    assert meant("LEESE", ["LEASE", "RENEW", "RELEASE"]) == "; did you mean LEASE?"


def test_a_word_that_could_be_two_is_answered_with_both():
    assert meant("PORT", ["DB_PORT", "WEB_PORT", "HOST"]) == "; did you mean DB_PORT or WEB_PORT?"
    assert meant("PORT", ["DB_PORT", "WEB_PORT"], most=1) == "; did you mean DB_PORT?"


def test_a_word_that_is_like_none_is_not_guessed_at():
    assert meant("something", ["LEASE", "RENEW"]) == ""


def test_choices_are_joined_by_commas_and_or():
    assert one_of(["a"]) == "a"
    assert one_of(["a", "b"]) == "a or b"
    assert one_of(["a", "b", "c"]) == "a, b or c"
