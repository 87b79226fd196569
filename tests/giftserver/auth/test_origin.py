"""Which pages may use the server."""

import pytest

from giftserver.auth.origin import normal_origin, origin_refusal, own_url
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
    assert origin_refusal(origin, SETTINGS, "gifts.example") is None


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
    refusal = origin_refusal(origin, SETTINGS, "gifts.example")
    assert refusal is not None
    assert refusal.status == 403
    assert "GIFTSERVER_ALLOWED_ORIGINS" in refusal.message
    assert "GIFTSERVER_PUBLIC_URL" in refusal.message


@pytest.mark.parametrize("origin", ["null", "", "file://", "about:blank", "https://", "https://a:port", "garbage"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    """Files and sandboxed frames have no origin to allow."""
    refusal = origin_refusal(origin, SETTINGS, "gifts.example")
    assert refusal is not None
    assert "no origin" in refusal.message


def test_two_names_of_this_machine_are_told_apart_in_words() -> None:
    """localhost is not 127.0.0.1 to a browser, and the refusal says which one to open."""
    refusal = origin_refusal("http://localhost:8000", Settings(), "127.0.0.1:8000")
    assert refusal is not None
    assert "open http://127.0.0.1:8000, or add http://localhost:8000 to GIFTSERVER_ALLOWED_ORIGINS" in refusal.message


@pytest.mark.parametrize("host", ["localhost:8000", "192.168.1.5:8000", "[fe80::1]:8000", "10.0.0.1"])
def test_without_a_public_url_its_own_pages_are_known_by_number_or_localhost(host: str) -> None:
    """Whoever opens the page at one of the machine's addresses uses it there, and is given links of there."""
    settings = Settings(host="0.0.0.0")
    assert origin_refusal(f"http://{host}", settings, host) is None
    assert own_url(settings, host) == f"http://{host}"
    assert origin_refusal(f"http://{host}", SETTINGS, host) is not None, "with a public URL only that counts"
    assert own_url(SETTINGS, host) == "https://gifts.example"


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b", ":"]
)
def test_a_name_that_may_be_anybodys_is_not_believed(host: str) -> None:
    """A page of that name, once its name has this machine's address, is foreign all the same."""
    settings = Settings(host="0.0.0.0")
    assert origin_refusal(f"http://{host}", settings, host) is not None
    assert own_url(settings, host) == "http://127.0.0.1:8000"


def test_origins_have_one_spelling() -> None:
    """Brackets stay, default ports go, paths do not count."""
    assert normal_origin("HTTP://[::1]:80/") == "http://[::1]"
    assert normal_origin("https://a.example:444/x?y") == "https://a.example:444"
