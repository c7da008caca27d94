"""JSON-RPC over real sockets, with threads on both sides, and clients that misbehave."""

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import protocol, rendezvous
from engine.client import Client, EngineFailedError, EngineGoneError, LocalClient, connect
from vault.errors import DamagedVaultError, LockedError, StrongroomError

ROOT = Path(__file__).resolve().parents[2]


class Desk:
    """A small target with one method of each kind."""

    def __init__(self):
        self.ended = threading.Event()
        self.hung_up = threading.Event()
        self.held = threading.Event()

    def add(self, a: int, b: int = 1) -> int:
        return a + b

    def repeat(self, text: str, *, times: list[int] | None = None, filters: Mapping[str, object] | None = None) -> str:
        return text * len(times or [1])

    def anything(self, **given: object) -> dict:
        return given

    def count(self, to: int, *, notify: protocol.Notify) -> int:
        for number in range(to):
            notify("progress", {"done": number})
        return to

    def count_on(self, *, notify: protocol.Notify) -> None:
        try:
            while True:
                notify("progress", {})
                time.sleep(0.005)
        except protocol.HungUpError:
            self.hung_up.set()
            raise

    def hold(self) -> str:
        assert self.held.wait(10)
        return "held"

    def refuse(self) -> None:
        raise StrongroomError("there is no vault at /x", "`strongroom init` makes one")

    def locked(self) -> None:
        raise LockedError("the vault is locked")

    def damaged(self) -> None:
        raise DamagedVaultError("damaged")

    def fail(self) -> None:
        raise ValueError("words of a document")

    def end(self) -> str:
        self.ended.set()
        return "ended"


METHODS = {
    name: getattr(Desk, name)
    for name in (
        "add", "repeat", "anything", "count", "count_on", "hold", "refuse", "locked", "damaged", "fail", "end",
    )
}  # fmt: skip


@pytest.fixture
def desk(tmp_path):
    """A server on a Unix socket and on one connected pair; yields target, folder and the pair's other end."""
    target = Desk()
    ours, theirs = socket.socketpair()
    listener = rendezvous.listen(tmp_path / "vault", tmp_path / "state")
    thread = threading.Thread(target=protocol.serve, args=(listener, [theirs], METHODS, target, target.ended))
    thread.start()
    target.pair, target.folder, target.thread = ours, tmp_path, thread
    yield target
    target.held.set()
    target.ended.set()
    thread.join(10)
    assert not thread.is_alive()
    ours.close()
    listener.close()


def client(desk):
    found = connect(desk.folder / "vault", desk.folder / "state")
    assert found is not None
    return found


def test_a_method_is_called_with_its_parameters_by_name(desk):
    with client(desk) as found:
        assert found.call("add", a=2, b=3) == 5
        assert found.call("add", a=2) == 3
        assert found.call("anything", folder="x", offset=2) == {"folder": "x", "offset": 2}


def test_the_inherited_pair_is_served_as_well(desk):
    assert Client(desk.pair).call("add", a=1) == 2


def test_progress_arrives_in_order_before_the_answer_in_the_callers_thread(desk):
    heard = []
    with client(desk) as found:
        assert (
            found.call("count", to=5, on_notify=lambda name, value: heard.append((name, value["done"], get_thread())))
            == 5
        )
    assert heard == [("progress", number, get_thread()) for number in range(5)]


def get_thread():
    return threading.get_ident()


def test_what_a_user_can_cause_arrives_as_the_error_it_was(desk):
    with client(desk) as found:
        with pytest.raises(StrongroomError) as caught:
            found.call("refuse")
        assert (caught.value.message, caught.value.hint) == ("there is no vault at /x", "`strongroom init` makes one")
        with pytest.raises(LockedError):
            found.call("locked")
        with pytest.raises(DamagedVaultError) as caught:
            found.call("damaged")
        assert caught.value.exit_code == 3


def test_an_error_in_the_engine_tells_its_place_and_not_its_words(desk, capfd):
    with client(desk) as found, pytest.raises(EngineFailedError) as caught:
        found.call("fail")
    assert "ValueError at test_protocol.py" in caught.value.message
    assert "words" not in caught.value.message + capfd.readouterr().err


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("nothing", {}, -32601),
        ("__init__", {}, -32601),
        ("add", {}, -32602),
        ("add", {"a": "1"}, -32602),
        ("add", {"a": True}, -32602),
        ("add", {"a": 1, "c": 2}, -32602),
        ("add", {"a": 1, "self": 2}, -32602),
        ("repeat", {"text": None}, -32602),
        ("repeat", {"text": "x", "times": ["1"]}, -32602),
        ("repeat", {"text": "x", "filters": []}, -32602),
        ("count", {"to": 1, "notify": "x"}, -32602),
        ("refuse", {}, 1),
        ("locked", {}, 4),
        ("fail", {}, -32603),
    ],
)
def test_each_kind_of_error_has_its_code(desk, method, params, code):
    answer = ask(desk, json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode())
    assert answer["id"] == 7
    assert answer["error"]["code"] == code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"no json", -32700),
        (b"", -32700),
        (b"\xff", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"1", -32600),
        (b'{"method":"add"}', -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"add"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"add"}', -32600),
    ],
)
def test_what_is_no_request_is_answered_so_and_the_next_one_is_served(desk, line, code):
    assert ask(desk, line)["error"]["code"] == code
    assert ask(desk, b'{"jsonrpc":"2.0","id":"x","method":"add","params":{"a":1}}') == {
        "jsonrpc": "2.0", "id": "x", "result": 2,
    }  # fmt: skip


def ask(desk, line):
    if not hasattr(desk, "file"):
        desk.file = desk.pair.makefile("rb")
    desk.pair.sendall(line + b"\n")
    return json.loads(desk.file.readline())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.lists(st.one_of(st.binary(max_size=200), st.text(max_size=50).map(str.encode)), max_size=5))
def test_garbage_never_stops_the_server(desk, junk):
    connection = rendezvous.connect(desk.folder / "vault", desk.folder / "state")
    connection.settimeout(10)
    connection.sendall(b"\n".join(junk) + b'\n{"jsonrpc":"2.0","id":"last","method":"add","params":{"a":1}}\n')
    with connection.makefile("rb") as lines:
        for line in lines:
            answer = json.loads(line)
            if answer["id"] == "last":
                break
    assert answer["result"] == 2
    connection.close()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["add", "repeat", "count", "anything", "refuse"]) | st.text(max_size=10),
    params=st.dictionaries(st.sampled_from(["a", "b", "text", "times", "filters", "to", "notify"]), json_values),
    number=st.none() | st.integers() | st.text(max_size=5),
)
def test_whatever_the_parameters_the_answer_is_one_of_the_protocol(desk, method, params, number):
    if isinstance(params.get("to"), int):
        params["to"] = abs(params["to"]) % 3
    request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    answer = ask(desk, protocol.to_line(request).rstrip(b"\n"))
    while "method" in answer:
        assert answer["params"]["request"] == number
        answer = json.loads(desk.file.readline())
    assert answer["id"] == number
    assert ("result" in answer) != ("error" in answer)


def test_a_request_that_is_too_long_is_skipped_not_kept(desk, monkeypatch):
    monkeypatch.setattr(protocol, "MAX_REQUEST", 1000)
    other = rendezvous.connect(desk.folder / "vault", desk.folder / "state")
    other.sendall(b"x" * 5_000_000 + b"\n")
    with other.makefile("rb") as lines:
        assert json.loads(lines.readline())["error"]["code"] == -32600
        other.sendall(b'{"jsonrpc":"2.0","id":1,"method":"add","params":{"a":1}}\n')
        assert json.loads(lines.readline())["result"] == 2
    other.close()


def test_a_client_refuses_to_send_what_is_too_long(desk):
    with client(desk) as found, pytest.raises(StrongroomError, match="too long"):
        found.call("repeat", text="x" * (protocol.MAX_REQUEST + 1))


def test_a_long_request_does_not_delay_others(desk):
    with client(desk) as found:
        results = []
        slow = threading.Thread(target=lambda: results.append(found.call("hold")))
        slow.start()
        assert found.call("add", a=1) == 2
        assert results == []
        desk.held.set()
        slow.join(10)
        assert results == ["held"]


def test_one_client_serves_many_threads(desk):
    with client(desk) as found:
        results = {}

        def work(number):
            results[number] = [found.call("add", a=number, b=turn) for turn in range(50)]

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert results == {number: [number + turn for turn in range(50)] for number in range(8)}


def test_a_connection_cannot_have_more_than_so_many_requests_at_once(desk):
    connection = rendezvous.connect(desk.folder / "vault", desk.folder / "state")
    for number in range(protocol.MAX_AT_ONCE + 1):
        connection.sendall(protocol.to_line({"jsonrpc": "2.0", "id": number, "method": "hold", "params": {}}))
    with connection.makefile("rb") as lines:
        refused = json.loads(lines.readline())
        assert refused["id"] == protocol.MAX_AT_ONCE
        assert refused["error"]["code"] == -32600
    connection.close()


def test_a_client_that_hangs_up_ends_the_work_for_it_and_hurts_nobody(desk):
    connection = rendezvous.connect(desk.folder / "vault", desk.folder / "state")
    connection.sendall(b'{"jsonrpc":"2.0","id":1,"method":"count_on","params":{}}\n')
    connection.recv(10)
    connection.close()
    assert desk.hung_up.wait(10)
    with client(desk) as found:
        assert found.call("add", a=1) == 2


def test_a_client_that_does_not_read_is_hung_up_on(desk, monkeypatch):
    monkeypatch.setattr(protocol, "_SEND_SECONDS", 1)
    connection = rendezvous.connect(desk.folder / "vault", desk.folder / "state")
    connection.sendall(b'{"jsonrpc":"2.0","id":1,"method":"repeat","params":{"text":"%s"}}\n' % (b"x" * 3_000_000))
    with client(desk) as found:
        assert found.call("add", a=1) == 2
    time.sleep(3.5)
    connection.settimeout(10)
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(1 << 20):
            pass
    connection.close()


def test_a_request_without_an_id_is_done_and_not_answered(desk):
    desk.pair.sendall(b'{"jsonrpc":"2.0","method":"add","params":{"a":1}}\n')
    assert ask(desk, b'{"jsonrpc":"2.0","id":5,"method":"add","params":{"a":1}}')["id"] == 5


def test_the_answer_to_what_ends_the_server_still_arrives_and_later_calls_fail_clearly(desk):
    found = client(desk)
    assert found.call("end") == "ended"
    desk.thread.join(10)
    with pytest.raises(EngineGoneError, match="the engine has ended"):
        found.call("add", a=1)
    with pytest.raises(EngineGoneError):
        found.call("add", a=1)


def test_another_user_is_not_served(desk, monkeypatch):
    if os.getuid() != 0:  # who cannot become a stranger takes the kernel's word for one
        monkeypatch.setattr(protocol, "peer_uid", lambda _: os.getuid() + 1)
        with pytest.raises(EngineGoneError):
            client(desk).call("add", a=1)
        return
    for each in (desk.folder, desk.folder / "state", *desk.folder.parents):
        if each != Path("/"):
            with contextlib.suppress(PermissionError):
                each.chmod(each.stat().st_mode | 0o711)
    path = rendezvous.socket_path(desk.folder / "vault", desk.folder / "state")
    assert path.stat().st_mode & 0o777 == 0o600
    script = (
        "import os, socket, sys; os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "try: s.connect(sys.argv[1])\n"
        "except PermissionError: print('not even reached'); sys.exit()\n"
        "try:\n"
        '    s.sendall(b\'{"jsonrpc":"2.0","id":1,"method":"add","params":{"a":1}}\\n\')\n'
        "    print(s.recv(100))\n"
        "except (BrokenPipeError, ConnectionResetError): print(b'')"
    )

    def stranger():
        return subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True, timeout=30
        ).stdout.strip()

    assert stranger() == "not even reached"
    path.chmod(0o666)  # should the file's rights ever fail, the kernel's word on the peer holds
    assert stranger() == "b''"


def test_a_socket_lies_in_a_folder_however_deep(tmp_path):
    deep = tmp_path.joinpath(*["a-long-name-of-a-folder"] * 8)
    listener = rendezvous.listen(tmp_path / "vault", deep)
    found = rendezvous.connect(tmp_path / "vault", deep)
    assert found is not None
    found.close()
    listener.close()


def test_there_is_no_client_where_no_engine_listens(tmp_path):
    assert connect(tmp_path / "vault", tmp_path / "state") is None
    rendezvous.listen(tmp_path / "vault", tmp_path / "state").close()  # killed: its socket is left
    assert connect(tmp_path / "vault", tmp_path / "state") is None


def locks(tmp_path):
    return list((tmp_path / "state").glob("*.lock"))


def test_a_claim_leaves_a_file_only_where_there_is_a_vault(tmp_path):
    with rendezvous.claim(tmp_path / "vault", tmp_path / "state"):
        assert len(locks(tmp_path)) == 1
    assert locks(tmp_path) == []
    with rendezvous.claim(tmp_path / "vault", tmp_path / "state"):
        (tmp_path / "vault").mkdir()
        (tmp_path / "vault" / "header").touch()
    assert len(locks(tmp_path)) == 1


def test_the_file_of_a_claim_stays_while_a_process_that_was_forked_meanwhile_holds_it(tmp_path):
    with rendezvous.claim(tmp_path / "vault", tmp_path / "state") as descriptor:
        held = os.dup(descriptor)
    with pytest.raises(rendezvous.EngineRunningError), rendezvous.claim(tmp_path / "vault", tmp_path / "state"):
        pass
    os.close(held)
    with rendezvous.claim(tmp_path / "vault", tmp_path / "state"):
        assert len(locks(tmp_path)) == 1


def test_a_file_that_goes_before_it_is_locked_is_claimed_anew(tmp_path, monkeypatch):
    lock = fcntl.flock

    def late(descriptor, how):
        monkeypatch.undo()
        locks(tmp_path)[0].unlink()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with rendezvous.claim(tmp_path / "vault", tmp_path / "state"):
        assert len(locks(tmp_path)) == 1
        with pytest.raises(rendezvous.EngineRunningError), rendezvous.claim(tmp_path / "vault", tmp_path / "state"):
            pass


def test_one_claim_excludes_another_and_ends_with_its_holder(tmp_path):
    with rendezvous.claim(tmp_path / "vault", tmp_path / "state"):
        with (
            pytest.raises(rendezvous.EngineRunningError, match="already at work"),
            rendezvous.claim(tmp_path / "vault", tmp_path / "state"),
        ):
            pass
        with rendezvous.claim(tmp_path / "other", tmp_path / "state"):
            pass
    with rendezvous.claim(tmp_path / "vault", tmp_path / "state"):
        pass


def test_the_client_in_the_process_answers_as_the_one_over_the_socket(desk):
    heard = []
    local = LocalClient(METHODS, desk)
    assert local.call("add", a=1) == 2
    assert local.call("count", to=2, on_notify=lambda _name, value: heard.append(value["done"])) == 2
    assert heard == [0, 1]
    with pytest.raises(LockedError):
        local.call("locked")
    with pytest.raises(EngineFailedError):
        local.call("add", a="1")
    with pytest.raises(EngineFailedError):
        local.call("nothing")
