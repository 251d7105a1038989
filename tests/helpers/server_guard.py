"""Stands between a test process and a private database server, so that none is left behind.

Run as a script by `private_server`, never imported.  It starts the server, says its process id
on stdout, and waits for whichever comes first:

    the server ends    -> the guard ends
    stdin is closed    -> the test process is gone, however it died: the server is ended and its
                          directory is deleted
    the guard is killed -> the kernel kills the server (PR_SET_PDEATHSIG)

A process of its own, because PR_SET_PDEATHSIG fires when the *thread* that started a process
ends, and tests do start servers from short-lived threads.  Standard library only: it is started
with `-I -S`, which takes some ten milliseconds.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
ORDERLY_STOP_S = 5.0


def die_with_the_guard() -> None:
    """Run in the child after its user has been changed, which would clear the setting."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--directory", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--stop-signal", type=int, required=True)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()

    with open(options.log, "ab") as log:
        server = subprocess.Popen(
            options.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=options.directory,
            user=options.uid,
            group=options.gid,
            extra_groups=None if options.uid is None else [],
            preexec_fn=die_with_the_guard,  # safe: this process has a single thread
        )
    sys.stdout.write(f"{server.pid}\n")
    sys.stdout.flush()

    server_ended = os.pidfd_open(server.pid)
    readable, _, _ = select.select([server_ended, sys.stdin.fileno()], [], [])
    if server_ended not in readable:
        server.send_signal(signal.SIGCONT)
        server.send_signal(options.stop_signal)
        try:
            server.wait(ORDERLY_STOP_S)
        except subprocess.TimeoutExpired:
            server.kill()
        server.wait()
        shutil.rmtree(options.directory, ignore_errors=True)
    return server.wait()


if __name__ == "__main__":
    main()
