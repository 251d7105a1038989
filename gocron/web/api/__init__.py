"""The REST API, ``/api/v1``: for programs, by bearer token only.

::

    operations.py   what an operation is; the registry that routes and document are made of
    dispatch.py     one request: who asks, may they, is it valid -> handler -> answer
    callers.py      who shows which token, and what they may do
    problems.py     answers to what went wrong (RFC 9457)
    openapi.py      the OpenAPI document, from the registry
    shapes.py       what several resources send and receive
    <resource>.py   a resource: its shapes and operations

``install`` is the entry. Handlers call the same functions of ``gocron.db`` as the panel does, and
never look at roles themselves: what an operation needs is said where it is declared, and tasks and
runs are only ever found through ``objects.py``, which knows what a caller may see.
"""

from gocron.web.api.install import install as install
