"""Operators decide about others: what is about themselves, somebody else sees and decides."""

from giftserver.durable.audit_log import Actor


class OwnAffair(Exception):
    """What was to be seen or decided is about whoever asks. Nothing was changed."""


def check_other(by: Actor, person: str) -> None:
    """Let an operator decide something about this person. Raises OwnAffair when that is themselves."""
    if by.id == person:
        raise OwnAffair(person)
