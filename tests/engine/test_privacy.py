"""What the privacy screen is told: secrets since when, where backups went, what a purge left in them, ages of parts."""

import datetime as dt
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from engine import components, looks, outside
from engine.at_server import Elsewhere
from engine.embedding import embedding
from engine.engine import Engine
from engine.erasing import purge
from engine.keeping import appearance, backup, backup_forget, passwd, recovery, recovery_confirmed
from engine.privacy import NOT_PROTECTED, privacy, protection, vaults_list
from tests.engine.chroma_like import answering, connected
from vault.errors import LockedError, StrongroomError
from vault.keys import FLOOR

ROOT = Path(__file__).parents[2]
PASSPHRASE = "a passphrase for tests"


@pytest.fixture(scope="module")
def engine(tmp_path_factory, zygote, embedder):
    """An engine that has read two papers."""
    folder = tmp_path_factory.mktemp("privacy")
    papers = folder / "papers"
    papers.mkdir()
    (papers / "roof.txt").write_text("The roofer Hallam replaces the ridge tiles on 12 May for 2,340 pounds.\n")
    (papers / "garage.txt").write_text("The garage in Mill Lane is let for 85 pounds a month.\n")
    started = Engine(folder / "vault", folder / "state", zygote, cost=FLOOR, load=lambda: embedder)
    started.create(PASSPHRASE)
    started.folders_add(str(papers))
    started.wait(seconds=60)
    yield started
    started.close()


def test_each_secret_is_known_by_kind_and_since_when_and_never_itself(engine):
    slots = {each["kind"]: each for each in privacy(engine)["slots"]}
    assert set(slots) == {"passphrase", "recovery code"}
    assert slots["passphrase"]["derivation"].startswith("Argon2id, 64 MiB, 3 passes")
    made = slots["recovery code"]["since"]
    assert time.time() - 120 < made < time.time()
    code = recovery(engine, PASSPHRASE)["recovery_code"]
    assert code not in str(privacy(engine))
    after = {each["kind"]: each["since"] for each in privacy(engine)["slots"]}
    assert after["recovery code"] > made
    assert after["passphrase"] == slots["passphrase"]["since"]
    passwd(engine, PASSPHRASE, PASSPHRASE + " new")
    passwd(engine, PASSPHRASE + " new", PASSPHRASE)
    assert {e["kind"]: e["since"] for e in privacy(engine)["slots"]}["passphrase"] > after["passphrase"]


def test_a_code_to_be_confirmed_is_remembered_until_it_is_or_another_is_made(tmp_path, zygote, embedder):
    own = Engine(tmp_path / "vault", tmp_path / "state", zygote, cost=FLOOR, load=lambda: embedder)
    own.create(PASSPHRASE, to_confirm=True)
    own.close()
    own.unlock(PASSPHRASE)
    assert own.status()["code_confirmed"] is False
    recovery_confirmed(own)
    assert own.status()["code_confirmed"] is True
    passwd(own, PASSPHRASE, PASSPHRASE, revoke=True, to_confirm=True)
    assert own.status()["code_confirmed"] is False
    passwd(own, PASSPHRASE, PASSPHRASE, to_confirm=True)
    recovery(own, PASSPHRASE)
    assert own.status()["code_confirmed"] is True
    recovery(own, PASSPHRASE, to_confirm=True)
    assert own.status()["code_confirmed"] is False
    own.close()


def test_a_purge_says_which_backups_still_hold_the_document(engine, tmp_path):
    before, after, gone = (str(tmp_path / name) for name in ("before", "after", "gone"))
    made = backup(engine, before)
    backup(engine, gone)
    shutil.rmtree(gone)
    assert [each["holds_purged"] for each in privacy(engine)["backups"]] == [0, 0]
    purge(engine, [str(engine.folder.parent / "papers" / "roof.txt")], confirm=True)
    backup(engine, after)
    found = privacy(engine)
    assert {each["path"]: (each["reachable"], each["holds_purged"]) for each in found["backups"]} == {
        before: (True, 1), gone: (False, 1), after: (True, 0),
    }  # fmt: skip
    assert [each["generation"] for each in found["backups"] if each["path"] == before] == [made["generation"]]
    (receipt,) = found["receipts"]
    assert receipt["confirmed"]
    assert sorted(receipt["still_in"]) == sorted([before, gone])
    backup_forget(engine, gone)
    assert [each["path"] for each in privacy(engine)["backups"]] == [after, before]
    with pytest.raises(StrongroomError):
        backup_forget(engine, gone)


def test_another_vaults_backup_in_that_place_is_not_taken_for_ours(engine, tmp_path):
    target = tmp_path / "copy"
    backup(engine, str(target))
    raw = bytearray((target / "header").read_bytes())
    raw[16] ^= 1  # the vault's id
    (target / "header").write_bytes(raw)
    assert [each["reachable"] for each in privacy(engine)["backups"] if each["path"] == str(target)] == [False]


def test_a_backup_that_is_moved_is_remembered_where_it_will_lie(engine, tmp_path):
    backup(engine, str(tmp_path / "staged"), lies="/media/stick/copy")
    assert privacy(engine)["backups"][0]["path"] == "/media/stick/copy"


def test_nothing_of_it_is_told_while_the_vault_is_locked(engine):
    engine.lock(mode="page")
    try:
        with pytest.raises(LockedError):
            privacy(engine)
        assert vaults_list(engine)["current"] == "vault"  # what the disk shows anyhow
    finally:
        engine.unlock(PASSPHRASE)


def test_a_connector_is_among_those_that_are_shown_and_not_among_those_that_reach_nothing(engine):
    with answering() as server, connected(server.server_port) as (index, connector):
        engine.elsewhere = Elsewhere(index._line, "http://127.0.0.1:1")
        try:
            shown = privacy(engine)
            report = shown["protection"]["connector"]
            assert (report["profile"], report["pid"], report["failed"]) == ("connector", connector.pid, "")
            assert "connect" in report["refused"]
            of_it = [each for each in shown["commands"] if str(connector.pid) in each["command"]]
            assert {each["about"] for each in of_it} == {"connector"}
            assert len(of_it) == 3
            assert any("the server that you named" in each["claim"] for each in of_it)
            again = protection(engine, check=True)["connector"]
            assert again["at"] > report["at"]
            os.kill(connector.pid, signal.SIGKILL)
            assert protection(engine, check=True)["connector"]["failed"]
        finally:
            engine.elsewhere = None
    assert "connector" not in protection(engine)


def test_looking_again_starts_a_parser_under_its_lock(engine):
    engine.held["zygote"] = {**engine.zygote.report(), "pid": engine.zygote.pid, "at": 0.0}
    try:
        found = protection(engine, check=True)
        assert found["zygote"]["at"] > time.time() - 30
        assert found["worker"]["refused"]
        assert not found["zygote"]["failed"]
        assert list(engine.state.glob("lock-check*")) == []
    finally:
        engine.held.clear()


def test_a_zygote_that_starts_no_parser_is_reported(engine, monkeypatch):
    from engine.zygote import ZygoteDiedError

    engine.held["zygote"] = {**engine.zygote.report(), "pid": engine.zygote.pid, "at": 0.0}

    def dead(*_args, **_more):
        raise ZygoteDiedError("the process that starts the parsers has ended")

    monkeypatch.setattr(type(engine.zygote), "parse", dead)
    try:
        assert protection(engine, check=True)["zygote"]["failed"].startswith("the process that starts")
    finally:
        engine.held.clear()


def test_every_component_that_is_pinned_has_its_day():
    pins = {}
    for path in ROOT.glob("requirements*.txt"):
        pins |= dict(re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", path.read_text(), flags=re.MULTILINE))
    assert {name: version for name, (version, _) in components.RELEASED.items()} == {
        name: pins[name] for name in components._DOES
    }


def test_a_components_age_is_counted_from_the_day_of_its_version(monkeypatch):
    there = {each.name: each for each in components.installed(dt.date(2027, 6, 1))}
    assert there["pypdfium2"].age_days > components.OLD_DAYS
    monkeypatch.setitem(components.RELEASED, "pypdfium2", ("0.0", "2020-01-01"))
    there = {each.name: each for each in components.installed()}
    assert (there["pypdfium2"].released, there["pypdfium2"].age_days) == (None, None)


def test_what_is_not_protected_is_what_the_threat_model_says():
    section = (ROOT / "docs/threat-model.md").read_text().partition("## What is not protected")[2]
    headings = " ".join(section.split())
    assert [what for what, _ in NOT_PROTECTED if f"**{what}" not in headings] == []


def test_paths_in_the_commands_are_quoted(tmp_path):
    odd = tmp_path / "a; touch owned"
    shown = outside.commands({"engine": 5}, port=None, vault=odd, database=odd / "store-1.db")
    assert all(str(odd) not in each.command or f"'{odd}" in each.command for each in shown)


def test_the_appearance_is_kept_outside_the_vault_for_all_of_them(engine):
    assert appearance(engine) == {"appearance": "system"}
    appearance(engine, "dark")
    assert engine.status()["appearance"] == "dark"
    assert looks.read(engine.state) == "dark"
    with pytest.raises(StrongroomError, match="'pink'"):
        appearance(engine, "pink")
    (engine.state / "appearance").write_bytes(b"\xff" * 99)
    assert looks.read(engine.state) == "system"


def test_the_embedding_model_is_named_with_the_hash_of_its_files(engine):
    import hashlib

    folder = ROOT / "retrieval" / "minilm"
    files = (folder / "openvino" / "openvino_model_qint8.bin", folder / "tokenizer.json")
    found = embedding(engine)
    assert found["sha256"] == hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()
    assert found["dimensions"] == 384
