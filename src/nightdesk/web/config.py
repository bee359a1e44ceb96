"""Settings of the desk's web server."""

from dataclasses import dataclass
from typing import Annotated

from nightdesk.runtime.config_tree import Count, Pattern, Range, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """Where the desk listens, how it is reached, and how much it takes."""

    host: Annotated[str, Pattern(r"\S+", "an address or a host name")] = "127.0.0.1"
    """The address to listen on. Anything but loopback needs TLS: a certificate, or a proxy that ends it."""
    port: Annotated[int, Range(at_least=0, at_most=65535)] = 8646
    """The port to listen on; 0 takes a free one."""
    public_url: Annotated[
        str, Pattern(r"|https?://[^\s/?#@]+(/[^\s?#]*)?", "empty, or a URL like https://desk.example")
    ] = ""
    """How the desk is reached from outside. TradingView reaches ports 80 and 443 only."""
    tls_certificate: str = ""
    """The file of the certificate chain (PEM), where the desk itself ends TLS."""
    tls_key: str = ""
    """The file of the certificate's private key (PEM)."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed (a proxy that ends TLS)."""
    allow_plain_http_on_public_bind: bool = False
    """True: listen beyond loopback without TLS. Tokens then cross the network readable by anyone on the way."""
    rate_per_minute: Count = 600
    """Requests a minute taken from one token and from one address."""
    rate_burst: Count = 100
    """Requests taken at once before the rate counts."""
    max_body: Annotated[int, Range(at_least=1024, at_most=1_048_576)] = 16384
    """The largest body of an alert (bytes)."""
    body_timeout: Seconds = 10.0
    """How long a body may take to arrive (seconds)."""
