"""Plays a recorded trace through the public socket, and proves that server and every client count the same coins."""

from giftserver.replay.options import command

__all__ = ["command"]
