"""What an operation of the API is, and the registry of all of them.

Routes, the OpenAPI document and the table of who may do what are made from the same declarations,
so none of them can be forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import Any

from flask import Response
from pydantic import BaseModel

from gocron.context import Context
from gocron.core.access import Access
from gocron.web.api.callers import Caller


class Need(Enum):
    """What a caller must be allowed before an operation looks at anything. What they may do with
    *one* task or run is decided when that has been found."""

    NOTHING = "nobody has to say who they are"
    IDENTITY = "any token that is in force"
    READ = "to see tasks and runs"
    CLUSTER = "to see what belongs to no task"
    RUN = "to start and stop runs"
    WRITE = "to change tasks"
    ADMIN = "to administer"

    def allows(self, access: Access) -> bool:
        """Whether ``access`` suffices."""
        return {
            Need.NOTHING: True,
            Need.IDENTITY: True,
            Need.READ: True,
            Need.CLUSTER: access.sees_cluster,
            Need.RUN: access.may_run_any,
            Need.WRITE: access.may_edit_any,
            Need.ADMIN: access.administers,
        }[self]


@dataclass(frozen=True)
class Call:
    """A request that may be answered: valid, and from somebody who is allowed to send it.

    ``path`` are the numbers and names in the address; ``query`` and ``body`` are of the models
    that the operation declares; ``headers`` are those it declares that were sent.
    """

    context: Context
    caller: Caller
    path: Mapping[str, Any]
    query: Any
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """``body`` is a model of the operation's answers, or None (204), or text; or, where there may
    be very many of something, what the model would be written as."""

    body: BaseModel | dict[str, Any] | str | None = None
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Answer | Response]


@dataclass(frozen=True)
class Operation:
    """``path`` as Flask has it, below ``/api/v1``; ``answers``: status -> model or media type.
    ``problems`` are statuses besides those that every operation can answer. ``read`` makes of a
    JSON object what the handler is given, in place of the model ``body``, which then only says
    what it looks like."""

    method: str
    path: str
    need: Need
    tag: str
    handler: Handler
    answers: Mapping[HTTPStatus, type[BaseModel] | str | None]
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_optional: bool = False
    read: Callable[[dict[str, Any]], Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    problems: frozenset[HTTPStatus] = frozenset()

    @property
    def id(self) -> str:
        """Unique; also the name of the endpoint."""
        return self.handler.__name__

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (self.handler.__doc__ or "").strip().split("\n")[0]

    @property
    def description(self) -> str:
        """What follows it."""
        _first, _, rest = (self.handler.__doc__ or "").strip().partition("\n")
        return re.sub(r"\s+", " ", rest).strip()

    @property
    def parameters(self) -> list[str]:
        """Names in the path."""
        return re.findall(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", self.path)


class Registry:
    """Operations in the order they were declared."""

    def __init__(self) -> None:
        self._operations: dict[tuple[str, str], Operation] = {}

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._operations.values())

    def operation(
        self, method: str, path: str, need: Need, **declared: Any
    ) -> Callable[[Handler], Handler]:
        """Declare the function below it as the handler of an operation."""

        def declare(handler: Handler) -> Handler:
            tag = handler.__module__.rpartition(".")[2]
            operation = Operation(method, path, need, tag, handler, **declared)
            if (method, path) in self._operations:
                raise ValueError(f"{method} {path} is declared twice")
            self._operations[method, path] = operation
            return handler

        return declare


api = Registry()
"""The one that resources add to when they are imported."""

ID = "<int(min=1, max=9223372036854775807):{name}>"


def with_id(path: str) -> str:
    """``/tasks/{id}`` as a path of Flask; every name in braces is a positive number."""
    return re.sub(r"\{(\w+)\}", lambda match: ID.format(name=match[1]), path)
