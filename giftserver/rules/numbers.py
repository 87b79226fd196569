"""The numbers of every rule, whole ones, with their reasons; who changes one raises VERSION, which findings name.

A week is today and the six UTC days before it. Coins and diamonds of gifts that are given back do not count.
"""

from typing import Final

VERSION: Final = 1

NAMES: Final = ("income_share", "ring", "loop", "velocity", "new_account", "many_disputes")
"""Every rule."""

INCOME_SHARE_PERCENT: Final = 70
INCOME_SHARE_DIAMONDS_MIN: Final = 10_000
"""One sender gave more than so much of a creator's diamonds of a week. Below 10,000 (the least that is withdrawn, 50
USD) a creator with one fan is just a small creator."""

RING_COINS_MIN: Final = 1_000
RING_MEMBERS_MAX: Final = 4
RING_HOURS: Final = 24
"""So many coins from each to the next and back to the first. Creators thank each other with small gifts all day; 14 USD
back and forth within a day is moving money. Longer rings than four are rare, and cost much to find."""

LOOP_COINS_MIN: Final = 3_500
LOOP_GIVEN_PERCENT: Final = 90
LOOP_HOURS: Final = 24
LOOP_INCOME_PERCENT: Final = 50
LOOP_TIMES: Final = 3
"""A pack of 50 USD or more, nearly all of it given to one creator within a day: so many times in a week, and more than
so much of that creator's coins. A fan does that once; somebody who turns stolen cards into money goes on."""

VELOCITY_PURCHASES_HOUR: Final = 10
VELOCITY_COINS_DAY: Final = 35_000
VELOCITY_DECLINES_HOUR: Final = 20
"""More than so many paid purchases or declined ones within an hour, or coins bought within 24 hours (500 USD, the
platform's own limit a day): cards are being tried, or emptied."""

NEW_ACCOUNT_HOURS: Final = 24
NEW_ACCOUNT_COINS: Final = 5_000
"""Since a first purchase so long ago at most, more than so many coins to one creator (about 70 USD)."""

DISPUTES_MIN: Final = 2
DISPUTES_DAYS: Final = 60
"""One dispute is a mistake, or a card that was stolen from the buyer; a second within two statements is neither."""

QUIET_DAYS: Final = 7
"""After a case was closed, its rules find nothing new about the same person for so long, or for as long as they look
back, unless what they measure has become QUIET_TIMES as much."""

QUIET_TIMES: Final = 2

ORDERS_HOUR: Final = 30
"""Orders that one network address may try within an hour, at one web process, unless a setting says otherwise. A
household or an office orders less; who tries cards orders without end."""
