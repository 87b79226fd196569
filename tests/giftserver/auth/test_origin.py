"""Which pages may use the server."""

import pytest

from giftserver.auth.origin import normal_origin, origin_refusal
from giftserver.settings import Settings

SETTINGS = Settings(
    public_url="https://gifts.example/", allowed_origins=("https://shop.example", "http://Dev.example:8080")
)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "https://gifts.example",
        "https://GIFTS.example",
        "https://gifts.example:443",
        "https://shop.example",
        "http://dev.example:8080",
    ],
)
def test_own_and_listed_pages_are_allowed(origin: str | None) -> None:
    """No Origin is no browser; host names have no case and default ports need not be written."""
    assert origin_refusal(origin, SETTINGS) is None


@pytest.mark.parametrize(
    "origin",
    [
        "http://gifts.example",
        "https://gifts.example:8443",
        "https://gifts.example.evil.example",
        "https://evil.example",
        "https://sub.shop.example",
        "http://shop.example",
        "http://dev.example",
        "https://gifts.example@evil.example",
    ],
)
def test_foreign_pages_are_refused(origin: str) -> None:
    """Scheme, host and port all count; the refusal names both settings."""
    refusal = origin_refusal(origin, SETTINGS)
    assert refusal is not None
    assert refusal.status == 403
    assert "GIFTSERVER_ALLOWED_ORIGINS" in refusal.message
    assert "GIFTSERVER_PUBLIC_URL" in refusal.message


@pytest.mark.parametrize("origin", ["null", "", "file://", "about:blank", "https://", "https://a:port", "garbage"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    """Files and sandboxed frames have no origin to allow."""
    refusal = origin_refusal(origin, SETTINGS)
    assert refusal is not None
    assert "no origin" in refusal.message


def test_two_names_of_this_machine_are_told_apart_in_words() -> None:
    """localhost is not 127.0.0.1 to a browser, and the refusal says which one to open."""
    refusal = origin_refusal("http://localhost:8000", Settings())
    assert refusal is not None
    assert "open http://127.0.0.1:8000, or add http://localhost:8000 to GIFTSERVER_ALLOWED_ORIGINS" in refusal.message


def test_origins_have_one_spelling() -> None:
    """Brackets stay, default ports go, paths do not count."""
    assert normal_origin("HTTP://[::1]:80/") == "http://[::1]"
    assert normal_origin("https://a.example:444/x?y") == "https://a.example:444"
