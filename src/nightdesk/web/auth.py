"""Who may come in: the operator's token in a header, or a session that was bought with it on the login page."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import Scope

from nightdesk.model.denial import DenyCode
from nightdesk.runtime.clock import Clock
from nightdesk.runtime.secrets import Secret
from nightdesk.web.buckets import Addresses, Buckets
from nightdesk.web.config import WebConfig
from nightdesk.web.problems import Problem, WebCode

COOKIE = "nightdesk_session"
LASTS = timedelta(hours=12)
GUESSES_PER_MINUTE = 10
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PURPOSE = b"nightdesk session 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Somebody who proved to be the operator; `actor` is what is written down."""

    actor: str
    by_cookie: bool


class Door:
    """Lets the operator in; sessions are signed, not stored, so any process of the desk knows them."""

    def __init__(self, config: WebConfig, clock: Clock, operator_token: Secret, addresses: Addresses) -> None:
        self._config = config
        self._clock = clock
        self._token = operator_token
        self._addresses = addresses
        # Keyed by the token: a rotated token ends every session.
        self._key = hmac.new(operator_token.reveal().encode(), _PURPOSE, hashlib.sha256).digest()
        self._guesses = Buckets(clock, per_minute=GUESSES_PER_MINUTE, burst=GUESSES_PER_MINUTE)
        self._ended: dict[str, datetime] = {}

    async def operator(self, connection: HTTPConnection) -> Who:
        """The operator, or the Problem that says what is missing; a change by cookie must come from our own page."""
        who = self.look(connection)
        if who is None:
            raise Problem(WebCode.SIGN_IN_REQUIRED)
        if who.by_cookie and connection.scope["method"] not in _SAFE:
            self.same_origin(connection)
        return who

    def look(self, connection: HTTPConnection) -> Who | None:
        """The operator, None for anybody without token and session; a wrong token is a Problem."""
        given = bearer(connection.headers.get("authorization"))
        if given is not None:
            self._check(given, connection.scope)
            return Who(actor="operator (API)", by_cookie=False)
        if self._session_holds(_cookie(connection)):
            return Who(actor="operator (page)", by_cookie=True)
        return None

    def sign_in(self, connection: HTTPConnection, given: str) -> str:
        """The Set-Cookie header of a new session; the Problem INVALID_TOKEN or RATE_LIMITED where there is none."""
        self.same_origin(connection)
        self._check(given, connection.scope)
        expires = self._clock.now() + LASTS
        name = f"{int(expires.timestamp())}.{secrets.token_hex(8)}"
        return self._set_cookie(connection.scope, f"{name}.{self._sign(name)}", int(LASTS.total_seconds()))

    def sign_out(self, connection: HTTPConnection) -> str:
        """The Set-Cookie header that takes the session away; this process does not know it any more either."""
        value = _cookie(connection)
        now = self._clock.now()
        self._ended = {key: until for key, until in self._ended.items() if until > now}
        if value is not None and self._session_holds(value):
            self._ended[value] = now + LASTS
        return self._set_cookie(connection.scope, "", 0)

    def same_origin(self, connection: HTTPConnection) -> None:
        """Nothing when the request was made by a page of this desk, else the Problem CROSS_SITE."""
        origin = connection.headers.get("origin")
        if origin is None:
            # Browsers that send no Origin with a form say where it came from in this header, and pages cannot forge it.
            if connection.headers.get("sec-fetch-site") == "same-origin":
                return
        elif origin in self._origins(connection):
            return
        raise Problem(WebCode.CROSS_SITE)

    def _origins(self, connection: HTTPConnection) -> set[str]:
        scheme = "https" if self._addresses.is_https(connection.scope) else "http"
        found = {f"{scheme}://{connection.headers.get('host', '')}"}
        if self._config.public_url:
            parts = urlsplit(self._config.public_url)
            found.add(f"{parts.scheme}://{parts.netloc}")
        return found

    def _check(self, given: str, scope: Scope) -> None:
        """Only wrong tokens cost guesses, so that nobody can lock the operator out by guessing beside them."""
        if self._token.matches(given):
            return
        self._guesses.spend(self._addresses.of(scope), "address")
        step = "Take the operator token from tokens.json in the desk's data directory."
        raise Problem(DenyCode.INVALID_TOKEN, "The operator token is wrong.", next_step=step)

    def _sign(self, name: str) -> str:
        return hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()

    def _session_holds(self, value: str | None) -> bool:
        if value is None or len(value) > 200 or not value.isascii() or value in self._ended:
            return False
        name, _, signature = value.rpartition(".")
        if not hmac.compare_digest(self._sign(name).encode(), signature.encode()):
            return False
        return int(name.partition(".")[0]) > self._clock.now().timestamp()

    def _set_cookie(self, scope: Scope, value: str, seconds: int) -> str:
        secure = "; Secure" if self._addresses.is_https(scope) or self._config.public_url.startswith("https") else ""
        return f"{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"


def bearer(authorization: str | None) -> str | None:
    """The token of an Authorization header, None where there is none of this kind."""
    if authorization is None:
        return None
    kind, _, given = authorization.partition(" ")
    return given.strip() if kind.lower() == "bearer" else None


def _cookie(connection: HTTPConnection) -> str | None:
    try:
        cookies = SimpleCookie(connection.headers.get("cookie", "")[:4096])
    except CookieError:
        return None
    morsel = cookies.get(COOKIE)
    return morsel.value if morsel is not None else None
