"""Runs a command of refloop as a process that `tests/warm_start.py` forks: `warm_client.py SOCKET WORD...`.

It stands for that process: same streams, folder and environment; signals are passed on; it ends as that one ends.
It is started for every command, so it imports next to nothing.
"""

import array
import json
import os
import signal
import socket
import sys


def main() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.connect(sys.argv[1])
        folder = os.getcwd()  # noqa: PTH109 - to import pathlib takes longer than all the rest
        task = json.dumps({"words": sys.argv[2:], "folder": folder, "environment": dict(os.environ)}).encode()
        streams = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))
        server.sendmsg([len(task).to_bytes(8, "big")], [streams])
        server.sendall(task)
        with server.makefile("rb") as answers:
            child = int(answers.readline())
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda number, _frame: os.kill(child, number))
            status = int(answers.readline())
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


main()
