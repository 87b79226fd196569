"""Signed receipts of the caller's own gifts, and the public keys that check them."""

from typing import Any, Final

from starlette.responses import Response

from giftserver.durable.history import gift_record
from giftserver.errors import NOT_SETTLED, RECEIPTS_OFF, Refusal
from giftserver.receipts.keys import KeySet
from giftserver.receipts.receipt import SignedReceipt, sign
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.responses import json_answer
from rooms.codes import NOT_FOUND

RETRY_AFTER_MS: Final = 1_000
KEYS_AGE_S: Final = 300


async def get_receipt(call: Call[None, None]) -> SignedReceipt | Refusal:
    """The caller's own gift of this key, as the ledger booked it, signed."""
    services, key = call.services, str(call.request.path_params["key"])
    signing = services.receipts.signing
    if signing is None:
        return Refusal(RECEIPTS_OFF, "This server signs no receipts: GIFTSERVER_RECEIPT_KEY_FILE is not set.")
    gift = await gift_record(services.database, call.user, key) if len(key) == 36 else None
    if gift is not None:
        return sign(gift, signing)
    if len(key) == 36 and await services.gifts.status(call.user, key) is not None:
        return Refusal(
            NOT_SETTLED, "The gift is accepted but not yet booked: ask again in a moment.",
            {"retry_after_ms": RETRY_AFTER_MS},
        )  # fmt: skip
    return Refusal(NOT_FOUND, "You have sent no gift under this key: nothing was charged for it.")


async def get_receipt_keys(call: Call[None, None]) -> Response:
    """The public keys of receipts as JWKS: the one that signs now first, then earlier ones."""
    headers = {"cache-control": f"public, max-age={KEYS_AGE_S}"}
    return json_answer(call.services.receipts.published, headers=headers)


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "GET", "/v1/gifts/{key}/receipt", "A signed receipt of your gift", get_receipt, SignedReceipt,
        roles=("viewer", "creator", "moderator", "admin"), refusals=(NOT_FOUND, NOT_SETTLED, RECEIPTS_OFF),
    ),
    Endpoint("GET", "/v1/receipt-keys", "The keys that receipts are signed with", get_receipt_keys, KeySet),
)  # fmt: skip
