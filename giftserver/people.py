"""Who is connected to this process, and how many sockets each person and address may open."""

from collections import Counter

from giftserver.errors import Refusal
from rooms import codes
from rooms.codes import CloseCode
from rooms.connection import Allowance, Connection
from rooms.protocol import Push

ALLOWANCES_MAX = 50_000


class People:
    """Connections by user, sockets by address, gift allowances by user; one process's view."""

    def __init__(self, *, sockets_per_user: int, sockets_per_address: int, gifts_per_s: int) -> None:
        self._per_user, self._per_address, self._gifts_per_s = sockets_per_user, sockets_per_address, gifts_per_s
        self._connections: dict[str, set[Connection]] = {}
        self._users: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._gifts: dict[str, Allowance] = {}

    def admit(self, user: str | None, address: str) -> Refusal | None:
        """Count a socket in, or say which limit it would pass. Every admitted socket must `leave`."""
        if user is not None and self._users[user] >= self._per_user:
            return Refusal(codes.RATE_LIMITED, f"More than {self._per_user} sockets of one user. Close one first.")
        if self._addresses[address] >= self._per_address:
            return Refusal(codes.RATE_LIMITED, f"More than {self._per_address} sockets from one address.")
        if user is not None:
            self._users[user] += 1
        self._addresses[address] += 1
        return None

    def leave(self, user: str | None, address: str) -> None:
        """Count a socket out."""
        for counter, name in ((self._users, user), (self._addresses, address)):
            if name is not None:
                counter[name] -= 1
                if counter[name] <= 0:
                    del counter[name]

    def add(self, connection: Connection) -> None:
        """A person's socket is open."""
        if connection.member.id is not None:
            self._connections.setdefault(connection.member.id, set()).add(connection)

    def remove(self, connection: Connection) -> None:
        """A person's socket is gone."""
        if connection.member.id is not None:
            mine = self._connections.get(connection.member.id, set())
            mine.discard(connection)
            if not mine:
                self._connections.pop(connection.member.id, None)

    def tell(self, user: str, message: Push) -> None:
        """Send a message to every socket of a person on this process."""
        for connection in tuple(self._connections.get(user, ())):
            connection.send(message)

    def close(self, user: str, code: CloseCode) -> None:
        """Close every socket of a person on this process."""
        for connection in tuple(self._connections.get(user, ())):
            connection.close(code)

    def take_gift(self, user: str) -> int:
        """0 when the user may send one more gift now, else the ms to wait."""
        allowance = self._gifts.get(user)
        if allowance is None:
            if len(self._gifts) >= ALLOWANCES_MAX:
                self._gifts.clear()
            allowance = self._gifts[user] = Allowance(self._gifts_per_s)
        return allowance.take()
