"""How runs are carried out. An executor is one file and one line in ``registry``.

Executors know nothing of the database or of leadership: they are given a ``Job`` and a place for
its output, and say how it ended.
"""
