"""Runs one giftserver command as a child of the demo: `python -m giftserver.demo.child web`.

Standard input is a pipe whose other end only the demo holds. When it closes, the demo is gone, however it
ended, and the child ends in order instead of keeping the port.
"""

import importlib
import os
import signal
import sys
import threading

from giftserver import cli, logs

BOTS = "giftserver.demo.bots"


def follow_parent() -> None:
    """End this process in order as soon as standard input closes."""
    while os.read(sys.stdin.fileno(), 1024):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


def main(name: str) -> None:
    """Run the command of that name, or the bots, until it ends."""
    threading.Thread(target=follow_parent, name="follow-parent", daemon=True).start()
    if name == "bots":
        settings = cli.load_settings()
        logs.configure(settings.log_format, settings.log_level)
        importlib.import_module(BOTS).run(settings)
    else:
        cli.main([name])


if __name__ == "__main__":
    main(sys.argv[1])
