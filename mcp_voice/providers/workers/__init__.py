"""The engines' side of the pipe: each module here runs in a child process, by `python -m`.

A recogniser that keeps the interpreter to itself for half a second, and a
synthesiser under another licence, live there and nowhere else.
"""
