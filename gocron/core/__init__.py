"""The rules, without I/O: values in, values out, time is an argument.

Imports nothing of gocron but ``errors``; everything above may import it.
"""
