"""Secrets out of everything that is written down: by the name of a field, by value, and by where values stand."""

import base64
import json
import math
import re
import threading
from collections.abc import Mapping, Sequence, Set
from urllib.parse import quote, quote_plus

from nightdesk.runtime.secrets import Secret

MASK = "***"
_SHORTEST = 6
_DEEPEST = 12
_NAMES = (
    r"(?:\w+[_-])?(?:token|secret|passphrase|password|passwd|passcode|api[_-]?key|signature|private[_-]?key|"
    r"authorization|cookie|mnemonic|seed[_-]?phrase|credentials?)(?:[_-]\w+)?"
)
_SECRET_KEY = re.compile(
    r"token|secret|authorization|passw|passphrase|passcode|apikey|signature|privatekey|cookie|mnemonic|seedphrase"
    r"|credential"
)
# No place matches a text with none of these; most lines have none, and this costs a tenth of trying.
_HINTS = (
    *("://", "/api/webhook/", "authorization", "cookie", "bearer", "basic", "token", "secret", "pass", "key"),
    *("signature", "mnemonic", "seed", "credential"),
)
# Each keeps what stands before the secret (group 1) and puts the mask in the place of the rest.
_PLACES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"([a-z][a-z0-9+.-]{0,20}://)[^/\s\"'<>]+(?=@)",
        r"(/api/webhook/)[^\s/?#\"'<>]+",
        r"(\b(?:proxy-)?authorization\b[\"']?\s*[:=]\s*[\"']?)[^\"'\r\n,}]+",
        r"(\b(?:set-)?cookie\b[\"']?\s*[:=]\s*[\"']?)[^\"'\r\n}]+",
        r"(\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}",
        r"(\bbasic\s+)[A-Za-z0-9+/=_-]{16,}",
        rf"(\b{_NAMES}[\"']?\s*[:=]\s*)(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s\"'&,;}})\]]+)",
    )
)


class Redactor:
    """Knows the secrets of this process; whatever passes through it comes out without them.

    Reads take no lock: registering replaces the pattern whole.
    """

    def __init__(self) -> None:
        self._values: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self._registering = threading.Lock()

    def register(self, value: str | Secret) -> None:
        """The value is masked from now on wherever it stands, also as it is spelled in URLs, headers, JSON and reprs.

        A value under 6 characters is not masked by value, since ordinary words would go with it.
        """
        text = value.reveal() if isinstance(value, Secret) else value
        if len(text) < _SHORTEST:
            return
        data = text.encode(errors="surrogatepass")
        spelled = {
            text,
            text.encode("unicode_escape").decode(),
            json.dumps(text)[1:-1],
            repr(text)[1:-1],
            repr(data)[2:-1],
            quote(data, safe=""),
            quote_plus(data),
            base64.b64encode(data).decode().rstrip("="),
        }
        with self._registering:
            self._values |= spelled
            # The longest first, or a secret that begins with another would leave its tail behind.
            longest_first = sorted(self._values, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """The text without registered values, credentials in URLs and headers, and `token=...` pairs."""
        pattern = self._pattern
        if pattern is not None:
            text = pattern.sub(MASK, text)
        lowered = text.lower()
        if any(hint in lowered for hint in _HINTS):
            for place in _PLACES:
                text = place.sub(rf"\g<1>{MASK}", text)
        return text

    def value(self, value: object, *, key: str = "") -> object:
        """The value without secrets, made of plain texts, numbers, lists and dicts; masked whole where the key says so.

        Anything else becomes its repr, so that nothing is rendered later out of sight.
        """
        return self._value(value, key, 0)

    def _value(self, value: object, key: str, depth: int) -> object:
        if value is None or isinstance(value, bool):
            return value
        if key and is_secret_key(key):
            return MASK
        if isinstance(value, (int, float)):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, str):
            return self.text(value)
        if depth >= _DEEPEST:
            return "..."
        if isinstance(value, Mapping):
            return {
                self.text(_safe_str(name)): self._value(each, _safe_str(name), depth + 1)
                for name, each in value.items()
            }
        if isinstance(value, (Sequence, Set)) and not isinstance(value, (bytes, bytearray, memoryview)):
            return [self._value(each, "", depth + 1) for each in value]
        return self.text(_safe_str(value))


def is_secret_key(key: str) -> bool:
    """True when a field of this name holds a secret, whatever its value."""
    return _SECRET_KEY.search(re.sub(r"[^a-z]", "", key.lower())) is not None


def _safe_str(value: object) -> str:
    try:
        return value if isinstance(value, str) else (repr(value) if isinstance(value, bytes) else str(value))
    except Exception:  # noqa: BLE001 - a broken repr must not cost the log line
        return f"<{type(value).__name__} that cannot be shown>"
