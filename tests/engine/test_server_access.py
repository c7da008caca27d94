"""https and a token: a server shows who it is before it gets a vector, and sees the token of its user's."""

import os
import time

import pytest

from engine import connector_process, server_access
from engine.server_address import Address, AddressError
from retrieval.nearest import NearestError
from tests.engine.chroma_like import Authority, answering, connected, speaking

TOKEN = "not-to-be.seen~by/others+at=all=="


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def token(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return path


def opened(port, **more):
    with connected(port, **{"scheme": "https", "host": "localhost", **more}) as (index, _):
        index.open(4)
        return index.count()


def refused(port, **more):
    with pytest.raises(NearestError) as why:
        opened(port, **more)
    assert TOKEN not in str(why.value)
    return f"{why.value.message}; {why.value.hint}"


def test_a_server_with_the_users_own_certificate_gets_the_token_and_what_it_is_to_get(authority, token):
    with answering(authority.server()) as server:
        more = {"authority": str(authority.path), "token_file": str(token)}
        assert opened(server.server_port, **more) == 0
        assert opened(server.server_port, host="127.0.0.1", **more) == 0
        assert len(server.heard) > 8
        assert {headers.get("Authorization") for *_, headers in server.heard} == {f"Bearer {TOKEN}"}


def test_a_server_whose_certificate_does_not_hold_hears_nothing(authority, token, tmp_path):
    files = {"authority": str(authority.path), "token_file": str(token)}
    other = Authority(tmp_path, "another authority")
    cases = [
        (other.server(), files, "certificate verify failed|self-signed|unable to get local issuer"),
        (authority.server(), {"token_file": str(token)}, "unable to get local issuer"),  # the system does not know it
        (authority.server("nas.example.org"), files, "Hostname mismatch"),
        (authority.server(days=-1), files, "certificate has expired"),
    ]
    for context, more, why in cases:
        with answering(context) as server:
            said = refused(server.server_port, **more)
            assert "its certificate does not hold" in said
            assert any(each in said for each in why.split("|")), said
            assert server.heard == []


def test_a_server_that_does_not_speak_https_gets_no_token(authority, token):
    files = {"authority": str(authority.path), "token_file": str(token)}
    with answering() as server:
        assert "it does not speak https" in refused(server.server_port, **files)
        assert server.heard == []


def test_a_server_of_https_that_is_spoken_to_without_is_not_used(authority):
    with answering(authority.server()) as server:
        assert "broke off" in refused(server.server_port, scheme="http")


def test_a_server_that_never_greets_is_given_up_on(authority, monkeypatch):
    monkeypatch.setattr(connector_process, "_GREET_SECONDS", 0.5)
    with speaking(lambda _connection, ended: ended.wait(20)) as port:
        began = time.monotonic()
        assert "did not greet within" in refused(port, authority=str(authority.path))
        assert time.monotonic() - began < 15


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_wants_a_token_or_another_one_is_said_to(authority, token, status):
    with answering(authority.server()) as server:
        server.told["/api/v2/version"] = (status, {"error": "Unauthorized"})
        port, files = server.server_port, {"authority": str(authority.path)}
        assert "wants to see a token" in refused(port, **files)
        assert "does not accept the token" in refused(port, **files, token_file=str(token))


def test_a_token_that_is_gone_when_the_vault_opens_is_said_to_be(authority, token):
    with answering(authority.server()) as server:
        token.unlink()
        said = refused(server.server_port, authority=str(authority.path), token_file=str(token))
        assert f"is not asked: {token} cannot be read: no such file" in said
        assert server.heard == []


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (b"", 0o600, "holds no token"),
        (b"two words", 0o600, "holds no token"),
        (b"good\r\nX-Other: header", 0o600, "holds no token"),
        (b"caf\xc3\xa9", 0o600, "holds no token"),
        (b"x" * 5_000, 0o600, "more than 4,096 bytes"),
        (b"good", 0o644, "can be read by others"),
        (b"good", 0o620, "can be read by others"),
    ],
)
def test_what_is_no_token_is_refused_and_not_repeated(token, content, mode, why):
    token.write_bytes(content)
    token.chmod(mode)
    with pytest.raises(AddressError, match=why) as refusal:
        server_access.look(Address("https", "nas", 443, token_file=str(token)))
    assert "Other" not in str(refusal.value)


def test_a_pipe_is_no_token_and_nobody_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(AddressError, match="is no file"):
        server_access.look(Address("https", "nas", 443, token_file=str(tmp_path / "pipe")))


def test_a_token_goes_unencrypted_to_this_machine_only(token):
    assert server_access.look(Address("http", "127.0.0.1", 8000, token_file=str(token))).token == TOKEN
    with pytest.raises(AddressError, match="can be read by everybody on the way"):
        server_access.look(Address("http", "nas", 8000, token_file=str(token)))


def test_a_token_is_not_shown_with_what_it_is_in(token):
    access = server_access.look(Address("https", "nas", 443, token_file=str(token)))
    assert access.token == TOKEN
    assert TOKEN not in repr(access)


def test_what_is_no_certificate_is_refused(tmp_path):
    path = tmp_path / "ca.pem"
    for content in (b"", b"no certificate", b"\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        path.write_bytes(content)
        with pytest.raises(AddressError, match="holds no certificate"):
            server_access.look(Address("https", "nas", 443, authority=str(path)))
    with pytest.raises(AddressError, match="shows no certificate"):
        server_access.look(Address("http", "nas", 8000, authority=str(path)))
