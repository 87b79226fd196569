"""Runs one giftserver command as a child of the demo: `python -m giftserver.demo.child web`.

Standard input is a pipe whose other end only the demo holds. When it closes, the demo is gone, however it
ended, and the child ends in order instead of keeping the port.
"""

import importlib
import sys

from giftserver import cli, logs
from giftserver.lifeline import follow_parent

BOTS = "giftserver.demo.bots"


def main(name: str, *arguments: str) -> None:
    """Run the command of that name, or the bots, until it ends."""
    follow_parent()
    if name == "bots":
        settings = cli.load_settings()
        logs.configure(settings.log_format, settings.log_level)
        importlib.import_module(BOTS).run(settings)
    else:
        cli.main([name, *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
