"""How many commands are being answered, and waiting until there are none."""

import asyncio
import contextlib


class InFlight:
    """A count; what is counted here is counted in `within` too."""

    def __init__(self, within: "InFlight | None" = None) -> None:
        self.count = 0
        self._within = within
        self._none: asyncio.Event | None = None

    def begin(self) -> None:
        """One more."""
        self.count += 1
        if self._within is not None:
            self._within.begin()

    def end(self) -> None:
        """One less."""
        self.count -= 1
        if self._within is not None:
            self._within.end()
        if self._none is not None and self.count == 0:
            self._none.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when there are none, or after the time."""
        if self.count:
            if self._none is None or self._none.is_set():
                self._none = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._none.wait()
