"""The database: models, the differences between servers, and every statement gocron sends.

Imports only ``core``, ``config``, ``clock`` and ``errors``. Executors, web and processes import
functions from here and never write SQL of their own.
"""
