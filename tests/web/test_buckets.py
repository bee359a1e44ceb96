"""How often, and from where. S9."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.runtime.clock import VirtualClock
from nightdesk.web import buckets
from nightdesk.web.buckets import Addresses, Buckets
from nightdesk.web.problems import Problem


def scope(client: str | None, *headers: tuple[bytes, bytes], scheme: str = "http") -> dict[str, Any]:
    return {"client": (client, 1) if client else None, "headers": list(headers), "scheme": scheme}


def forwarded(text: str) -> tuple[bytes, bytes]:
    return (b"x-forwarded-for", text.encode())


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    clock = VirtualClock()
    bucket = Buckets(clock, per_minute=60, burst=3)
    assert [bucket.take("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take("a") == pytest.approx(1.0)
    assert bucket.take("b") == 0.0
    clock.advance(1.0)
    assert bucket.take("a") == 0.0
    assert bucket.take("a") > 0


def test_an_empty_bucket_says_how_long_to_wait() -> None:
    bucket = Buckets(VirtualClock(), per_minute=6, burst=1)
    bucket.spend("a", "address")
    with pytest.raises(Problem) as caught:
        bucket.spend("a", "address")
    assert caught.value.headers["retry-after"] == "10"


@given(st.lists(st.floats(min_value=0, max_value=30), max_size=60))
def test_never_more_than_burst_and_rate_together_allow(pauses: list[float]) -> None:
    clock = VirtualClock()
    bucket = Buckets(clock, per_minute=60, burst=5)
    given_out = 0
    for pause in pauses:
        clock.advance(pause)
        given_out += bucket.take("a") == 0.0
        assert given_out <= 5 + clock.monotonic() * 1.0 + 1e-6


def test_s9_a_million_addresses_take_no_more_memory_than_ten_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "MOST_KEYS", 100)
    bucket = Buckets(VirtualClock(), per_minute=60, burst=5)
    for i in range(1000):
        bucket.take(f"10.0.{i // 256}.{i % 256}")
    assert len(bucket._left) <= 100


def test_s9_without_proxies_the_peer_is_believed_and_nobody_else() -> None:
    assert Addresses(()).of(scope("203.0.113.9", forwarded("198.51.100.1"))) == "203.0.113.9"
    assert Addresses(()).of(scope(None)) == "local"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("198.51.100.1, 10.0.0.7", "198.51.100.1"),
        ("198.51.100.1, nonsense", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.1"),
        ("[2001:db8::1]", "2001:db8::/64"),
    ],
)
def test_s9_behind_a_proxy_the_nearest_address_that_is_none_counts(header: str, expected: str) -> None:
    addresses = Addresses(("10.0.0.0/8",))
    assert addresses.of(scope("10.0.0.1", forwarded(header))) == expected


def test_s9_an_untrusted_peer_cannot_speak_for_others() -> None:
    assert Addresses(("10.0.0.0/8",)).of(scope("203.0.113.9", forwarded("1.1.1.1"))) == "203.0.113.9"


def test_s9_an_ipv6_network_counts_as_one() -> None:
    addresses = Addresses(())
    assert addresses.of(scope("2001:db8::1")) == addresses.of(scope("2001:db8::ffff:1"))
    assert addresses.of(scope("2001:db8::1")) != addresses.of(scope("2001:db8:0:1::1"))
    assert addresses.of(scope("::ffff:203.0.113.9")) == "203.0.113.9"
    assert addresses.of(scope("fe80::1%eth0")) == "fe80::/64"


def test_https_is_believed_from_here_and_from_a_trusted_proxy() -> None:
    told = (b"x-forwarded-proto", b"https")
    assert Addresses(()).is_https(scope("1.1.1.1", scheme="https"))
    assert not Addresses(()).is_https(scope("10.0.0.1", told))
    assert Addresses(("10.0.0.1",)).is_https(scope("10.0.0.1", told))
    assert not Addresses(("10.0.0.1",)).is_https(scope("1.1.1.1", told))
