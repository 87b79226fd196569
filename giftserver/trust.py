"""Whom outgoing TLS connections trust."""

import ssl
from functools import cache

import httpx


@cache
def authorities(trust_env: bool = True) -> ssl.SSLContext:
    """The usual authorities, read once a process: that takes 40 ms, and each client of httpx would read them anew.

    `trust_env`: SSL_CERT_FILE and SSL_CERT_DIR may name others.
    """
    return httpx.create_ssl_context(trust_env=trust_env)
