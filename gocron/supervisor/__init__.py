"""The parent process: forks the children, watches them, signals them, ends what they leave.

No threads, no database connection: nothing in here can be blocked by a server, and nothing can be
broken by a fork. What the children do is not known here; they are given as ``ChildSpec``.
"""
