"""Secrets that do not show themselves, and the files in the data directory that keep them."""

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from nightdesk.runtime.config_entries import read_value_file

_HIDDEN = "***"
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,256}")
_LARGEST = 65536


class SecretsError(Exception):
    """A secret cannot be used or kept: says which, where and what to do next, and never holds the secret."""


class Secret:
    """A text that is never shown: not by print, format, repr, JSON, pickle or a traceback; only `reveal` gives it."""

    __slots__ = ("_digest", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._digest = hashlib.sha256(value.encode(errors="surrogatepass")).digest()

    def reveal(self) -> str:
        """The text itself, for the one place that sends or signs with it."""
        return self._value

    def matches(self, candidate: str | bytes | None) -> bool:
        """True when the candidate is the secret, in time that tells nothing; an empty secret matches nothing.

        Anything but ASCII is false and no error, so that a strange token is a wrong one.
        """
        if candidate is None:
            return False
        try:
            given = candidate.encode("ascii") if isinstance(candidate, str) else bytes(candidate)
        except UnicodeEncodeError:
            return False
        same = hmac.compare_digest(hashlib.sha256(given).digest(), self._digest)
        return same and bool(self._value) and given.isascii()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._digest, other._digest)

    def __hash__(self) -> int:
        return hash(self._digest)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({_HIDDEN})"

    def __str__(self) -> str:
        return _HIDDEN

    def __format__(self, spec: str) -> str:
        return _HIDDEN

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret is not pickled or copied; pass the object itself.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What lets a caller in: `webhook` sends alerts, `operator` may do everything."""

    webhook: Secret
    operator: Secret
    created: bool
    """True when the tokens were made by this call, for the first start to show them once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """Who this desk is, for as long as its data directory lives."""

    install_id: str
    """16 hex digits; part of every client order id."""
    key: Secret

    def digest(self, data: bytes) -> str:
        """64 hex digits that are the same for the same bytes here, and tell nothing to anyone without the key."""
        return hmac.new(bytes.fromhex(self.key.reveal()), data, hashlib.sha256).hexdigest()


def load_or_create_tokens(data_dir: Path, env: Mapping[str, str]) -> Tokens:
    """The tokens from the environment, from `tokens.json`, or made new and written there, in this order.

    Raises SecretsError where one is too short, equal to the other, or where the file could be read by others.
    """
    given = {name: _token_from(env, f"NIGHTDESK_{name.upper()}_TOKEN") for name in ("webhook", "operator")}
    webhook, operator, created = given["webhook"], given["operator"], False
    if webhook is None or operator is None:
        kept, created = _load_or_create(
            data_dir, "tokens.json", lambda: {name: secrets.token_urlsafe(32) for name in given}
        )
        path = data_dir / "tokens.json"
        webhook = webhook or Secret(_token(kept.get("webhook"), f"{path}: webhook"))
        operator = operator or Secret(_token(kept.get("operator"), f"{path}: operator"))
    if webhook == operator:
        raise SecretsError(
            "The webhook token and the operator token are the same, so whoever sends alerts could do everything. "
            "Set NIGHTDESK_OPERATOR_TOKEN to another value, or unset it to have one made."
        )
    return Tokens(webhook=webhook, operator=operator, created=created)


def load_or_create_install(data_dir: Path) -> Install:
    """The install's id and key from `install.key`, made at the first start."""
    kept, _ = _load_or_create(
        data_dir, "install.key", lambda: {"install_id": secrets.token_hex(8), "key": secrets.token_hex(32)}
    )
    path = data_dir / "install.key"
    for name, length in (("install_id", 16), ("key", 64)):
        if not re.fullmatch(rf"[0-9a-f]{{{length}}}", kept.get(name, "")):
            raise SecretsError(f"{path}: {name} is not {length} hex digits. Restore the file from a backup.")
    return Install(install_id=kept["install_id"], key=Secret(kept["key"]))


def prepare_data_dir(data_dir: Path) -> None:
    """The directory exists (made with mode 0700), is ours, and nobody else can put files into it."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = data_dir.lstat()
    except OSError as e:
        raise SecretsError(f"The data directory {data_dir} cannot be made: {e.strerror}.") from e
    if stat.S_ISLNK(status.st_mode):
        raise SecretsError(f"{data_dir} is a symbolic link. Name the directory itself: {data_dir.resolve()}")
    if not _is_ours(status):
        raise SecretsError(f"{data_dir} belongs to another user (uid {status.st_uid}). Use a directory of your own.")
    if status.st_mode & 0o022:
        raise SecretsError(f"Others can write to {data_dir}. Run: chmod go-w {data_dir}")


def _token_from(env: Mapping[str, str], name: str) -> Secret | None:
    if (file := env.get(f"{name}_FILE")) is not None:
        if name in env:
            raise SecretsError(f"{name} and {name}_FILE are both set. Set one of the two.")
        text = read_value_file(file)
        if text is None:
            raise SecretsError(f"{name}_FILE names a file that cannot be read: {file}")
        return Secret(_token(text, f"{name}_FILE"))
    return Secret(_token(env[name], name)) if name in env else None


def _token(text: str | None, place: str) -> str:
    if text is not None and _TOKEN.fullmatch(text):
        return text
    found = "nothing" if not text else f"{len(text)} characters"
    raise SecretsError(
        f"{place}: expected 16 to 256 letters, digits, '-', '_', '.' or '~', found {found} of another kind or number. "
        "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
    )


def _is_ours(status: os.stat_result) -> bool:
    return os.geteuid() == 0 or status.st_uid in (0, os.geteuid())


def _load_or_create(data_dir: Path, name: str, make: Callable[[], dict[str, str]]) -> tuple[dict[str, str], bool]:
    prepare_data_dir(data_dir)
    path = data_dir / name
    with _alone(data_dir):
        try:
            return _read(path), False
        except FileNotFoundError:
            values = make()
            write_private(path, json.dumps(values, indent=2) + "\n")
            return values, True


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    # Two first starts at once must agree on one file; a lock on the directory needs no file of its own.
    directory = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _read(path: Path) -> dict[str, str]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as e:
        if path.is_symlink():
            raise SecretsError(f"{path} is a symbolic link. Put the file itself there, or remove the link.") from e
        raise SecretsError(f"{path} cannot be read: {e.strerror}.") from e
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise SecretsError(f"{path} is not a regular file. Move it away.")
        if not _is_ours(status):
            raise SecretsError(f"{path} belongs to another user (uid {status.st_uid}). Move it away.")
        if status.st_mode & 0o077:
            raise SecretsError(f"Others can read {path}. Run: chmod 600 {path}, and change the secrets in it.")
        content = file.read(_LARGEST)
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or not all(isinstance(each, str) for each in values.values()):
        # From None: the parser's error quotes the content.
        raise SecretsError(
            f"{path} cannot be understood. Restore it from a backup; or move it away to have a new one made, "
            "which changes what callers must send."
        ) from None
    return values


def write_private(path: Path, text: str) -> None:
    """The file holds the text, with mode 0600, or is as it was before; never half of it, also after a power cut."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
