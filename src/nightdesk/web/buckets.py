"""Token buckets: so many at once, then so many a minute, for each key; and whose address a request comes from."""

import ipaddress
import math
from collections.abc import Iterable
from functools import lru_cache

from starlette.types import Scope

from nightdesk.model.denial import DenyCode
from nightdesk.runtime.clock import Clock
from nightdesk.web.problems import Problem

MOST_KEYS = 10_000

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Buckets:
    """One bucket per key, all of the same size; a key not seen for long is a full bucket and takes no memory."""

    def __init__(self, clock: Clock, *, per_minute: int, burst: int) -> None:
        self._clock = clock
        self._per_second = per_minute / 60
        self._burst = float(burst)
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> float:
        """0.0 when there was a token, which is gone now; else the seconds until there is one."""
        now = self._clock.monotonic()
        known = self._left.get(key)
        left = self._burst if known is None else min(self._burst, known[0] + (now - known[1]) * self._per_second)
        if left < 1.0:
            return (1.0 - left) / self._per_second
        if known is None and len(self._left) >= MOST_KEYS:
            self._forget(now)
        self._left[key] = (left - 1.0, now)
        return 0.0

    def spend(self, key: str, what: str) -> None:
        """As `take`, but raises the Problem RATE_LIMITED that says how long to wait."""
        wait = self.take(key)
        if wait:
            seconds = math.ceil(wait)
            text = f"more requests than {self._per_second * 60:g} a minute from this {what}; wait {seconds} s"
            raise Problem(DenyCode.RATE_LIMITED, text, headers={"retry-after": str(seconds)})

    def _forget(self, now: float) -> None:
        refill = self._burst / self._per_second
        self._left = {key: kept for key, kept in self._left.items() if now - kept[1] < refill}
        # Under attack from many addresses at once the oldest half goes; dicts keep the order of arrival.
        while len(self._left) >= MOST_KEYS:
            for key in list(self._left)[: MOST_KEYS // 2]:
                del self._left[key]


class Addresses:
    """Says where a request comes from; only a configured proxy's word about somebody else is believed."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self._trusted: tuple[Network, ...] = tuple(ipaddress.ip_network(each, strict=False) for each in trusted_proxies)

    def of(self, scope: Scope) -> str:
        """The client's address for counting: an IPv6 network of 64 bits counts as one."""
        peer = scope["client"][0] if scope.get("client") else "local"
        return _counted(self._forwarded(scope, peer) if self._trusted and self._trusts(peer) else peer)

    def is_https(self, scope: Scope) -> bool:
        """True when the client's side of the connection is encrypted, as seen here or told by a trusted proxy."""
        if scope.get("scheme") == "https":
            return True
        peer = scope["client"][0] if scope.get("client") else "local"
        if not self._trusted or not self._trusts(peer):
            return False
        return _header(scope, b"x-forwarded-proto").rpartition(",")[2].strip().lower() == "https"

    def _forwarded(self, scope: Scope, peer: str) -> str:
        """The nearest address to us that is no proxy of ours: whatever stands left of it could be made up."""
        for hop in reversed(_header(scope, b"x-forwarded-for").split(",")):
            address = hop.strip().strip("[]")
            if not address:
                continue
            if not _is_address(address):
                return peer
            if not self._trusts(address):
                return address
        return peer

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)


def _header(scope: Scope, name: bytes) -> str:
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def _counted(address: str) -> str:
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped is not None else str(ipaddress.ip_network((int(parsed), 64), strict=False))
