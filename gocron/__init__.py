"""gocron for Python: a scheduler that never runs a slot twice and never forgets one.

Where to look first:

* ``core/leadership.py`` -- the leader election as a pure state machine (and why it is safe)
* ``db/lock.py``         -- the row in the database that decides it
* ``core/firing.py``     -- what to do with slots that are due
* ``db/claims.py``       -- the transaction that makes a slot ours, once
* ``supervisor/``        -- the parent process and its four children
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("gocron")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0+source"
