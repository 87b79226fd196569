"""Mischief: what a provider or a network can do wrong, on demand. The defaults do nothing."""

from typing import Annotated, Final

import msgspec

COPIES_MAX: Final = 20
DELAY_MAX_S: Final = 3_600
FAILURES_MAX: Final = 10_000

Failures = Annotated[int, msgspec.Meta(ge=0, le=FAILURES_MAX)]


class Mischief(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong with a session, or a payout.

    Deliveries: each webhook is sent `copies` times in parallel, each after a random 0…`delay_s`, a share `drop` of them
    never; `shuffle` sends them out of order; `forge` adds two forgeries to each event; `stale` signs with a stamp one
    hour old. Payments: `wrong_amount` captures one unit more, `wrong_currency` in another currency,
    `test_event_in_live` claims the other mode, `pay_after_expiry` lets expired sessions be paid, `refund_fails` fails
    refunds, `settle_after_s` settles bank transfers by itself. API: that many creations (`create_fails`) and fetches of
    each session (`fetch_fails`) are answered with 503 first; `webhook_before_answer` captures a session and sends its
    webhooks before its creation is answered. Payouts: that many (`payouts_unanswered`) are made and answered with 500
    all the same, `payouts_slow_s` makes each of their steps so much later; amount, currency, mode and the 503s go wrong
    as with sessions. Reports: `movement_missing` leaves a session's charge, or a payout, out,
    `movement_wrong` has one unit more for it. The same `seed` gives the same chances for the same sequence of both.
    """

    copies: Annotated[int, msgspec.Meta(ge=1, le=COPIES_MAX)] = 1
    delay_s: Annotated[float, msgspec.Meta(ge=0, le=DELAY_MAX_S)] = 0.0
    shuffle: bool = False
    drop: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    forge: bool = False
    wrong_amount: bool = False
    wrong_currency: bool = False
    test_event_in_live: bool = False
    stale: bool = False
    pay_after_expiry: bool = False
    refund_fails: bool = False
    settle_after_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] | None = None
    create_fails: Failures = 0
    fetch_fails: Failures = 0
    webhook_before_answer: bool = False
    payouts_unanswered: Failures = 0
    payouts_slow_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0.0
    movement_missing: bool = False
    movement_wrong: bool = False
    seed: int = 0
