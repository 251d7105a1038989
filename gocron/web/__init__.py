"""What a node answers over HTTP, apart from the panel: health, readiness, metrics.

Imports ``db`` and below; never ``admin``. ``processes/web.py`` puts the two together.
"""
