"""The address of the user's own server: what is one, and whose word counts."""

import json
import os
from dataclasses import replace

import pytest

from engine import landlock, server_address
from engine.server_address import UNDERSTOOD, Address, AddressError


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("http://127.0.0.1:8000", Address("http", "127.0.0.1", 8000)),
        ("https://chroma.example.org", Address("https", "chroma.example.org", 443)),
        ("localhost", Address("http", "localhost", 8000)),
        ("nas:9000/", Address("http", "nas", 9000)),
        ("http://[::1]:8000", Address("http", "::1", 8000)),
    ],
)
def test_an_address_is_read_as_it_is_meant(typed, meant):
    assert server_address.parse(typed) == meant
    assert server_address.parse(str(meant)) == meant


@pytest.mark.parametrize(
    "typed",
    ["", "http://", "ftp://nas", "http://user:secret@nas", "http://nas/path", "http://nas:0", "http://nas:70000",
     "http://nas\r\nHost: other", "http://-nas", "nas nas", "http://nas?x=1", "http://nas#x"],
)  # fmt: skip
def test_what_is_no_address_is_refused(typed):
    with pytest.raises(AddressError):
        server_address.parse(typed)


def test_only_this_machine_is_here():
    assert all(server_address.parse(each).here for each in ("localhost", "127.0.0.1", "http://[::1]:1", "127.9.9.9"))
    assert not any(server_address.parse(each).here for each in ("127.example.org", "nas", "192.168.1.2", "10.0.0.1"))


@pytest.fixture
def places(tmp_path):
    folders = [tmp_path / name for name in ("config", "vault", "state")]
    for each in folders[1:]:
        each.mkdir()
    return folders


def test_what_was_written_is_read_by_the_vault_that_it_is_for(places, tmp_path):
    config, vault, state = places
    assert server_address.read(config, vault, [vault, state]) is None
    server_address.write(config, vault, Address("http", "nas", 8000))
    assert server_address.read(config, vault, [vault, state]) == Address("http", "nas", 8000)
    assert server_address.read(config, tmp_path / "other", [vault, state]) is None
    assert oct(server_address.path(config, vault).stat().st_mode)[-3:] == "600"
    assert server_address.remove(config, vault)
    assert not server_address.remove(config, vault)
    assert server_address.read(config, vault, [vault, state]) is None


def test_the_files_that_a_server_needs_are_written_down_by_their_paths(places, tmp_path):
    config, vault, state = places
    address = Address("https", "nas", 443, token_file=str(tmp_path / "token"), authority=str(tmp_path / "ca.pem"))
    server_address.write(config, vault, address)
    assert server_address.read(config, vault, [vault, state]) == address
    for name in ("token_file", "authority"):
        server_address.write(config, vault, replace(address, **{name: str(state / "written by an engine")}))
        refused(places, "where an engine may write")
    path = server_address.path(config, vault)
    path.write_text(json.dumps({"address": "https://nas", "understood": UNDERSTOOD, "token_file": ["x"]}))
    refused(places, "holds no address")


def refused(places, why, writable=None):
    config, vault, state = places
    with pytest.raises(AddressError, match=why):
        server_address.read(config, vault, [vault, state] if writable is None else writable)


def test_a_file_that_an_engine_could_have_written_counts_for_nothing(places, tmp_path, monkeypatch):
    config, vault, _ = places
    server_address.write(config, vault, Address("http", "nas", 8000))
    refused(places, "where an engine may write", [vault, config])
    refused(places, "where an engine may write", [tmp_path])
    through = tmp_path / "through"
    through.symlink_to(tmp_path)
    refused(places, "where an engine may write", [through])
    monkeypatch.setattr(landlock, "version", lambda: 0)
    refused(places, "no Landlock")


def test_a_file_of_somebody_elses_making_counts_for_nothing(places, tmp_path):
    config, vault, _ = places
    path = server_address.path(config, vault)
    good = json.dumps({"address": "http://nas:8000", "understood": UNDERSTOOD})
    config.mkdir()
    path.write_text(good)
    path.chmod(0o644)
    refused(places, "not this user's alone")
    path.chmod(0o600)
    os.link(path, tmp_path / "another name")
    refused(places, "not this user's alone")
    path.unlink()
    path.symlink_to(tmp_path / "another name")
    refused(places, "cannot be read")
    path.unlink()
    for content in ("", "{}", "[]", good.replace(UNDERSTOOD, "yes"), good.replace("http://nas:8000", "nowhere/at all")):
        path.write_text(content)
        path.chmod(0o600)
        refused(places, "holds no address|is no address")
