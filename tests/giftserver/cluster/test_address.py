"""URLs of one Redis and of a cluster."""

import pytest
from pydantic import ValidationError

from giftserver.cluster.address import check, is_cluster, parse
from giftserver.packed import PackedConnection, PackedSSLConnection
from giftserver.settings import Settings
from giftserver.settings_list import shown


def test_a_cluster_is_named_by_some_of_its_servers() -> None:
    """Hosts, ports, the person and TLS are read; a port may be left out."""
    address = parse("rediss+cluster://gifts:s%40crud@a.example:7001,b.example,[::1]:7003/0?ssl_ca_certs=/ca.pem")
    assert address.seeds == (("a.example", 7001), ("b.example", 6379), ("::1", 7003))
    assert address.options["username"] == "gifts"
    assert address.options["password"] == "s@crud"
    assert address.options["connection_class"] is PackedSSLConnection
    assert address.options["ssl_ca_certs"] == "/ca.pem"
    assert not {"host", "port", "db"} & address.options.keys()
    assert parse("redis+cluster://a:1").options["connection_class"] is PackedConnection


@pytest.mark.parametrize(
    "url", ["redis://h", "rediss://u:p@h:1/2", "unix:///run/redis.sock", "redis+cluster://h:1,h:2"]
)
def test_urls_that_are_right(url: str) -> None:
    """One server, a socket, a cluster."""
    assert check(url) == url
    assert is_cluster(url) == ("+cluster" in url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://h", "is not redis://"),
        ("h:6379", "is not redis://"),
        ("redis://:secret@h1:1,h2:2", "names more than one server: a cluster is written redis+cluster://"),
        ("redis+cluster://:secret@h1:1,", "lacks a host"),
        ("redis+cluster://:secret@h1:x", "has the port 'x'"),
        ("redis+cluster://:secret@h1:70000", "has the port '70000'"),
        ("redis+cluster://:secret@h1/2", "names a database"),
        ("redis+cluster://:secret@h1?max_connections=x", "has an option that cannot be read"),
    ],
)
def test_urls_that_are_wrong_are_told_in_a_sentence(url: str, says: str) -> None:
    """The setting is named, the form too; the password is not."""
    with pytest.raises(ValidationError) as refused:
        Settings(ledger_redis_url=url)
    sentence = refused.value.errors()[0]["msg"]
    assert f"GIFTSERVER_LEDGER_REDIS_URL {says}" in sentence
    assert "secret" not in sentence


def test_the_list_of_settings_hides_a_clusters_password() -> None:
    """As with any URL."""
    assert shown("redis+cluster://gifts:secret@h1:1,h2:2") == "redis+cluster://gifts:***@h1:1,h2:2"
