"""Secrets that do not show themselves, and the files that keep them (B13, W12, S10, S39, row 95)."""

import copy
import json
import os
import pickle
import stat
import threading
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.runtime.secrets import (
    Secret,
    SecretsError,
    Tokens,
    load_or_create_install,
    load_or_create_tokens,
    prepare_data_dir,
    write_private,
)

CANARY = "canary-7Jw2mQx9-canary"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_in_no_text_made_of_it_w12():
    secret = Secret(CANARY)
    tokens = Tokens(webhook=secret, operator=secret, created=True)
    texts = [str(secret), repr(secret), f"{secret}", f"{secret!r:>40}", "%s" % secret, str([secret]), repr(tokens)]  # noqa: UP031
    texts += [json.dumps({"a": secret}, default=str), str({secret: 1})]
    assert all(CANARY not in text for text in texts)
    assert secret.reveal() == CANARY


def test_a_secret_is_in_no_json_pickle_copy_or_traceback_w12():
    secret = Secret(CANARY)
    with pytest.raises(TypeError):
        json.dumps(secret)
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError) as refused:
            leave(secret)
        assert CANARY not in "".join(traceback.format_exception(refused.value))


def test_only_the_very_text_matches_s10():
    secret = Secret(CANARY)
    assert secret.matches(CANARY)
    assert secret.matches(CANARY.encode())
    for wrong in ("", None, b"", CANARY + "x", CANARY[:-1], CANARY.upper(), "tökén", b"\xff\xfe", "\ud800", "x\0"):
        assert not secret.matches(wrong)


def test_an_empty_secret_and_one_beyond_ascii_match_nothing_s10():
    assert not Secret("").matches("")
    assert not Secret("tökén").matches("tökén")
    assert not Secret("tökén").matches("tökén".encode())
    assert not Secret("")
    assert Secret("x")


@given(st.text(), st.one_of(st.text(), st.binary()))
def test_matching_never_raises_s10(value: str, candidate: str | bytes):
    same = candidate in (value, value.encode(errors="surrogatepass"))
    assert Secret(value).matches(candidate) == (same and value != "" and value.isascii())


def test_secrets_compare_by_value_and_with_secrets_only():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def test_the_first_start_makes_tokens_and_the_next_finds_them_b13(data: Path):
    first = load_or_create_tokens(data, {})
    again = load_or_create_tokens(data, {})
    assert first.created
    assert not again.created
    assert (first.webhook, first.operator) == (again.webhook, again.operator)
    assert first.webhook != first.operator
    assert len(first.webhook.reveal()) == 43
    assert mode(data) == 0o700
    assert mode(data / "tokens.json") == 0o600
    assert sorted(each.name for each in data.iterdir()) == ["tokens.json"]


def test_the_mode_does_not_hang_on_the_umask_s39(data: Path):
    before = os.umask(0)
    try:
        load_or_create_tokens(data, {})
    finally:
        os.umask(before)
    assert (mode(data), mode(data / "tokens.json")) == (0o700, 0o600)


def test_tokens_from_the_environment_win_over_the_file(data: Path, tmp_path: Path):
    kept = load_or_create_tokens(data, {})
    (tmp_path / "token").write_text("from-a-mounted-file-0123\n")
    env = {"NIGHTDESK_WEBHOOK_TOKEN_FILE": str(tmp_path / "token")}
    given_one = load_or_create_tokens(data, env)
    assert given_one.webhook.reveal() == "from-a-mounted-file-0123"
    assert given_one.operator == kept.operator


def test_with_both_tokens_given_nothing_is_written(data: Path):
    env = {"NIGHTDESK_WEBHOOK_TOKEN": "w" * 16, "NIGHTDESK_OPERATOR_TOKEN": "o" * 16}
    assert not load_or_create_tokens(data, env).created
    assert not data.exists()


@pytest.mark.parametrize("weak", ["", "short", CANARY[:15], "with space " * 3, "line\nend" * 4, "tökén" * 5, "x" * 257])
def test_a_weak_or_strange_token_is_refused_with_words_and_not_repeated_s31(data: Path, weak: str):
    with pytest.raises(SecretsError) as refused:
        load_or_create_tokens(data, {"NIGHTDESK_OPERATOR_TOKEN": weak})
    text = str(refused.value)
    assert text.startswith("NIGHTDESK_OPERATOR_TOKEN: expected 16 to 256 ")
    assert "secrets.token_urlsafe" in text
    assert not weak or weak not in text


def test_one_token_for_both_purposes_is_refused(data: Path):
    env = {"NIGHTDESK_WEBHOOK_TOKEN": "w" * 16, "NIGHTDESK_OPERATOR_TOKEN": "w" * 16}
    with pytest.raises(SecretsError, match="are the same"):
        load_or_create_tokens(data, env)


def test_a_variable_and_its_file_at_once_are_refused(data: Path):
    env = {"NIGHTDESK_WEBHOOK_TOKEN": "w" * 16, "NIGHTDESK_WEBHOOK_TOKEN_FILE": "/nowhere"}
    with pytest.raises(SecretsError, match="Set one of the two"):
        load_or_create_tokens(data, env)


def test_a_token_file_that_cannot_be_read_is_named(data: Path):
    with pytest.raises(SecretsError, match="NIGHTDESK_WEBHOOK_TOKEN_FILE names a file that cannot be read: /nowhere"):
        load_or_create_tokens(data, {"NIGHTDESK_WEBHOOK_TOKEN_FILE": "/nowhere"})


@pytest.mark.parametrize("loose", [0o640, 0o604, 0o660, 0o644])
def test_a_file_others_can_read_is_refused_and_says_chmod_s39(data: Path, loose: int):
    load_or_create_tokens(data, {})
    (data / "tokens.json").chmod(loose)
    with pytest.raises(SecretsError, match="chmod 600 "):
        load_or_create_tokens(data, {})


@pytest.mark.parametrize("loose", [0o777, 0o770, 0o702])
def test_a_directory_others_can_write_to_is_refused_s39(data: Path, loose: int):
    data.mkdir()
    data.chmod(loose)
    with pytest.raises(SecretsError, match="chmod go-w "):
        prepare_data_dir(data)


def test_symbolic_links_are_not_followed_s39(data: Path, tmp_path: Path):
    data.mkdir(mode=0o700)
    (tmp_path / "elsewhere").write_text("{}")
    (tmp_path / "elsewhere").chmod(0o600)
    (data / "tokens.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SecretsError, match="is a symbolic link"):
        load_or_create_tokens(data, {})
    (tmp_path / "link").symlink_to(data)
    with pytest.raises(SecretsError, match="is a symbolic link"):
        prepare_data_dir(tmp_path / "link")


def test_what_is_no_file_is_refused_s39(data: Path):
    data.mkdir(mode=0o700)
    os.mkfifo(data / "tokens.json", 0o600)
    with pytest.raises(SecretsError, match="not a regular file"):
        load_or_create_tokens(data, {})


def test_a_file_of_another_user_is_refused_s39(data: Path, monkeypatch: pytest.MonkeyPatch):
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(data, 4141, -1)  # what root owns is trusted by everyone
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(SecretsError, match="belongs to another user"):
        prepare_data_dir(data)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"webhook": 5}', CANARY, '{"webhook": "' + CANARY])
def test_a_damaged_file_stops_the_start_and_is_never_made_anew_b13(data: Path, content: str):
    load_or_create_tokens(data, {})
    (data / "tokens.json").write_text(content)
    with pytest.raises(SecretsError, match="cannot be understood") as refused:
        load_or_create_tokens(data, {})
    assert (data / "tokens.json").read_text() == content
    assert CANARY not in "".join(traceback.format_exception(refused.value))


def test_a_file_without_one_of_the_tokens_stops_the_start(data: Path):
    load_or_create_tokens(data, {})
    (data / "tokens.json").write_text('{"webhook": "0123456789abcdef"}')
    with pytest.raises(SecretsError, match=r"tokens\.json: operator: expected"):
        load_or_create_tokens(data, {})


def test_first_starts_at_once_agree_on_one_file(data: Path):
    found: list[Tokens] = []
    threads = [threading.Thread(target=lambda: found.append(load_or_create_tokens(data, {}))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 8
    assert len({each.webhook for each in found}) == 1
    assert [each.created for each in found].count(True) == 1


def test_the_install_keeps_its_id_and_key(data: Path):
    first, again = load_or_create_install(data), load_or_create_install(data)
    assert first == again
    assert len(first.install_id) == 16
    assert mode(data / "install.key") == 0o600
    assert first.digest(b"body") == again.digest(b"body") != first.digest(b"bodz")
    assert first.key.reveal() not in repr(first)


def test_two_installs_digest_differently(tmp_path: Path):
    one, other = load_or_create_install(tmp_path / "a"), load_or_create_install(tmp_path / "b")
    assert one.install_id != other.install_id
    assert one.digest(b"body") != other.digest(b"body")


def test_a_damaged_install_key_stops_the_start(data: Path):
    load_or_create_install(data)
    (data / "install.key").write_text('{"install_id": "0123456789abcdef", "key": "abc"}')
    with pytest.raises(SecretsError, match="key is not 64 hex digits"):
        load_or_create_install(data)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(data: Path, monkeypatch: pytest.MonkeyPatch):
    load_or_create_tokens(data, {})
    before = (data / "tokens.json").read_text()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_private(data / "tokens.json", "new")
    assert (data / "tokens.json").read_text() == before
    assert [each.name for each in data.iterdir()] == ["tokens.json"]


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretsError, match="cannot be made"):
        prepare_data_dir(tmp_path / "file" / "data")
