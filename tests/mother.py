"""Starts servers by fork: the modules are loaded once, and a server is up in a fraction of the time of a new Python.

For each line on stdin it forks a child, which is `homeserver run`; it writes the child's pid, waits for its end and
writes its exit status. Each child is a process of its own, that is killed as any.
"""

import importlib
import os
import sys

# What `homeserver run` loads when it is called, besides what it imports at the start.
LATER = ("homeserver.lifecycle", "homeserver.wiring", "homeserver.faces", "homeserver.bridges", "bridges")


def main() -> None:
    """Fork until stdin ends."""
    program = importlib.import_module("homeserver.__main__")
    for name in LATER:
        importlib.import_module(name)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            sys.argv = ["homeserver", "run"]
            os.dup2(2, 1)  # stdout is for the pids
            os.close(0)
            program.main()
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
