"""What the sandbox is told when it starts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from giftserver.sandbox.addresses import problem_of

Clock = Callable[[], int]
"""Milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """Settings of one sandbox. Raises ValueError when they cannot work.

    `secret` is the merchant's API key, `webhook_secret` signs webhooks. Without `journal` everything is forgotten at
    the end. `public_url` is where customers' browsers reach it. `retry_scale` multiplies the waits between attempts,
    and between the steps of payouts.
    """

    secret: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    journal: Path | None
    public_url: str
    live: bool = False
    retry_scale: float = 1.0

    def __post_init__(self) -> None:
        if not self.secret or not self.webhook_secret:
            raise ValueError("both secrets are needed")
        if problem := problem_of(self.public_url):
            raise ValueError(f"the public URL {problem}")
        if not 0 <= self.retry_scale < float("inf"):
            raise ValueError("retry_scale is 0 or more")
