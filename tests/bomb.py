"""A program for python3 in a sandbox: it starts processes until the limit refuses one, then ends them."""

BOMB = """
import os, signal
made = []
try:
    while True:
        child = os.fork()
        if child == 0:
            signal.pause()
        made.append(child)
except BlockingIOError:
    for child in made:
        os.kill(child, signal.SIGKILL)
"""
