"""Everything a request may need, put together once by `app.create_app`."""

from dataclasses import dataclass

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.auth.session_ends import SessionEnds
from giftserver.auth.tickets import Tickets
from giftserver.auth.tokens import TokenVerifier
from giftserver.cluster.pipe import Pipes
from giftserver.conduct import Conduct
from giftserver.gifts.announce import Announcer
from giftserver.gifts.catalog import Catalog
from giftserver.gifts.presenter import Presenter
from giftserver.gifts.rooms import RoomDirectory
from giftserver.gifts.service import GiftService
from giftserver.in_flight import InFlight
from giftserver.ledger.ledger import Ledger
from giftserver.limits.service import SpendingLimits
from giftserver.metrics import Metrics
from giftserver.people import People
from giftserver.receipts.keys import ReceiptKeys
from giftserver.recharge.payouts import Payouts
from giftserver.recharge.service import Recharges
from giftserver.rules.addresses import OrderAllowance
from giftserver.settings import Settings
from rooms.admission import Admission
from rooms.history import History
from rooms.hub import Hub
from rooms.pings import PingWheel


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one web process."""

    settings: Settings
    database: AsyncEngine
    ledger_redis: Redis
    rooms_redis: Redis
    ledger: Ledger
    gifts: GiftService
    catalog: Catalog
    rooms: RoomDirectory
    hub: Hub
    admission: Admission
    wheel: PingWheel
    history: History
    room_pipes: Pipes
    presenter: Presenter
    people: People
    conduct: Conduct
    announcer: Announcer
    verifier: TokenVerifier
    tickets: Tickets
    session_ends: SessionEnds
    receipts: ReceiptKeys
    recharges: Recharges
    payouts: Payouts
    limits: SpendingLimits
    order_allowance: OrderAllowance
    metrics: Metrics
    in_flight: InFlight
    """Commands being answered, of all sockets."""
