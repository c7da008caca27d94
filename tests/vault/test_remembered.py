"""What is told of remembered backups never waits for a drive that does not answer."""

import threading

from vault import backup, remembered


def test_a_backup_is_there_or_it_is_not(place, tmp_path):
    vault = place.open()
    backup.backup(vault, tmp_path / "copy")
    identity = vault.header.vault_id
    vault.close()
    here, gone = str(tmp_path / "copy"), str(tmp_path / "nothing")
    places = remembered.Places()
    assert places.reachable([here, gone], identity, seconds=60) == {here: True, gone: False}
    assert places.reachable([here], bytes(16), seconds=60) == {here: False}  # another vault's
    (tmp_path / "copy").rename(tmp_path / "moved")
    assert places.reachable([here], identity, seconds=60) == {here: False}


def test_a_drive_that_does_not_answer_holds_up_neither_the_answer_nor_more_than_one_thread():
    answers = threading.Event()
    looked = []

    def look(path, vault_id):
        looked.append(path)
        return path == "/near" or answers.wait(60)

    places = remembered.Places(look)
    for _ in range(3):
        assert places.reachable(["/dead", "/near"], bytes(16), seconds=0.2)["/dead"] is None
    assert looked.count("/dead") == 1
    answers.set()
    found = {}
    while found.get("/dead") is None:
        found = places.reachable(["/dead", "/near"], bytes(16), seconds=60)
    assert found == {"/dead": True, "/near": True}


def test_a_look_that_fails_is_a_backup_that_is_not_there():
    places = remembered.Places(lambda path, vault_id: path.no_such_attribute)
    threading.excepthook, before = lambda _: None, threading.excepthook
    try:
        assert places.reachable(["/odd"], bytes(16), seconds=60) == {"/odd": False}
    finally:
        threading.excepthook = before
