"""PayPal's certificates, with which its webhooks are signed."""

import asyncio
import re
from typing import Final

import httpx
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from giftserver.recharge.provider import Rejected

log = structlog.get_logger()

CERTIFICATES_MAX: Final = 16
FETCHES_MAX: Final = 4
CERTIFICATE_PATH: Final = re.compile(r"/v1/notifications/certs/[\w-]{1,200}", re.ASCII)
UNKNOWN: Final = "certificate not known yet"


class Certificates:
    """PayPal's certificates by URL, in memory. Only those of PayPal's own host and folder are ever fetched."""

    def __init__(self, http: httpx.AsyncClient, live: bool, at: str | None) -> None:
        self._http, self._home = http, "https://api.paypal.com" if live else "https://api.sandbox.paypal.com"
        self._at = at or self._home
        self._known: dict[str, x509.Certificate] = {}
        self._fetches: dict[str, asyncio.Task[None]] = {}

    def key(self, url: str, now_s: float) -> rsa.RSAPublicKey | Rejected:
        """The key of the certificate of this URL."""
        if not url.startswith(self._home) or not CERTIFICATE_PATH.fullmatch(url.removeprefix(self._home)):
            return Rejected("the certificate is not at PayPal")
        if (known := self._known.get(url)) is None:
            if url not in self._fetches and len(self._fetches) < FETCHES_MAX:  # anybody may name URLs here
                self._fetches[url] = asyncio.create_task(self._fetch(url), name="fetch a certificate")
            return Rejected(UNKNOWN)
        if not known.not_valid_before_utc.timestamp() <= now_s <= known.not_valid_after_utc.timestamp():
            return Rejected("the certificate is not valid now")
        key = known.public_key()
        return key if isinstance(key, rsa.RSAPublicKey) else Rejected("the certificate is not of RSA")

    async def _fetch(self, url: str) -> None:
        try:
            answer = await self._http.get(self._at + url.removeprefix(self._home))
            self._known[url] = x509.load_pem_x509_certificate(answer.raise_for_status().content)
            while len(self._known) > CERTIFICATES_MAX:
                del self._known[next(iter(self._known))]
        except (httpx.HTTPError, ValueError) as problem:
            log.warning("certificate_not_fetched", provider="paypal", reason=type(problem).__name__)
        finally:
            del self._fetches[url]

    async def close(self) -> None:
        """End what is being fetched."""
        for fetch in (fetches := list(self._fetches.values())):
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
