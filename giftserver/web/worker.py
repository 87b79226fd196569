"""One of several web processes on a port: `python -m giftserver.web.worker`, started by giftserver.web.workers.

Standard input is the lifeline to the parent. The file descriptor named by the argument gets a byte when it listens.
"""

import os
import socket
import sys

from giftserver import cli
from giftserver.lifeline import follow_parent
from giftserver.settings import Settings


def listener_of(settings: Settings) -> socket.socket:
    """A socket that shares its port: the kernel spreads connections over all who listen. Raises OSError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((settings.host, settings.port))
    return listener


def main(ready: int) -> None:
    """Serve until SIGTERM."""
    follow_parent()

    def tell() -> None:
        os.write(ready, b"1")
        os.close(ready)

    with cli.serving() as settings:
        from giftserver.web.server import serve

        serve(settings, listener_of(settings), tell)


if __name__ == "__main__":
    main(int(sys.argv[1]))
