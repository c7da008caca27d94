"""The connector: a real one, locked, in front of servers that behave well, badly, or not at all."""

import os
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from engine import at_server, chroma_http, server_address
from engine.at_server import AtServer, Line
from engine.connector import Connector
from engine.connector_frames import receive, send
from retrieval.nearest import NearestError
from tests.engine.chroma_like import OURS, UUID, answering, connected, free_port, speaking


@pytest.fixture
def server():
    with answering() as made:
        yield made


def test_ids_and_vectors_go_over_and_nothing_else(server):
    vectors = np.eye(3, 4, dtype=np.float32)
    ids = [bytes([n]) * 16 for n in range(3)]
    with connected(server.server_port) as (index, running):
        index.open(4)
        index.add(ids, vectors)
        assert index.nearest(vectors[0], 3) == [b"\xab" * 16, b"\xcd" * 16]  # what is no id is left out
        assert index.count() == 0
        kernel = Path(f"/proc/{running.pid}/status").read_text()
        assert "Seccomp:\t2" in kernel
        assert "NoNewPrivs:\t1" in kernel
    sent = {path: body for method, path, body, _ in server.heard if method == "POST"}
    made = sent[OURS]
    assert made["name"] == f"strongroom-{'a' * 16}-{'b' * 16}"
    assert set(made) == {"name", "get_or_create", "configuration"}
    assert set(sent[f"{OURS}/{UUID}/upsert"]) == {"ids", "embeddings"}
    assert sent[f"{OURS}/{UUID}/upsert"]["ids"] == [each.hex() for each in ids]
    assert {path.partition("?")[0] for _, path, _, _ in server.heard} <= set(server.told)
    for *_, headers in server.heard:
        assert set(headers) <= {"Host", "Accept-Encoding", "Content-Type", "Content-Length"}


@pytest.mark.parametrize(
    ("path", "told", "why"),
    [
        ("/api/v2/version", (200, "2.4.0"), "of another version than is known here: '2.4.0'"),
        ("/api/v2/version", (404, {}), "does not speak version 2"),
        ("/api/v2/version", (410, {}), "does not speak version 2"),
        ("/api/v2/version", (302, {}), "refused with status 302"),
        ("/api/v2/version", (200, b"<html>"), "sent no answer that can be read"),
        ("/api/v2/pre-flight-checks", (200, []), "sent no pre-flight checks"),
        (OURS, (200, lambda body: [] if body is None else {"id": "../../other"}), "sent no collection"),
        (OURS, (200, lambda body: [] if body is None else {"id": UUID, "dimension": 768}), "vectors of 768, not 4"),
        (OURS, (500, {}), "refused with status 500"),
        (f"{OURS}/{UUID}/count", (200, "many"), "sent no count"),
    ],
)
def test_a_server_that_is_another_one_is_not_used_and_said_so(server, path, told, why):
    server.told[path] = told
    with connected(server.server_port) as (index, _), pytest.raises(NearestError) as refused:
        index.open(4)
    assert why in refused.value.message
    assert refused.value.hint


def test_a_server_that_is_not_there_is_said_not_to_be():
    with (
        connected(free_port()) as (index, _),
        pytest.raises(NearestError, match="cannot be reached: connection refused"),
    ):
        index.open(4)


def test_a_slow_server_is_given_up_on_and_its_late_answer_is_not_taken_for_another(server, monkeypatch):
    monkeypatch.setattr(at_server, "_QUERY_SECONDS", 0.5)
    with connected(server.server_port) as (index, _):
        index.open(4)
        quick = server.told[f"{OURS}/{UUID}/query"]
        server.told[f"{OURS}/{UUID}/query"] = (200, lambda body: time.sleep(1.5) or {"ids": [["ee" * 16]]})
        began = time.monotonic()
        with pytest.raises(NearestError, match="did not answer within"):
            index.nearest(np.ones(4, dtype=np.float32), 3)
        assert time.monotonic() - began < 1.4
        server.told[f"{OURS}/{UUID}/query"] = quick
        time.sleep(1.5)
        assert index.nearest(np.ones(4, dtype=np.float32), 3) == [b"\xab" * 16, b"\xcd" * 16]


def page(body, more=b""):
    return b"HTTP/1.1 200 OK\r\n" + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def heard(connection):
    connection.recv(1 << 16)


def nothing(connection, ended):
    ended.wait(20)


def now_and_then(connection, ended):
    heard(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not ended.wait(0.05):
        connection.sendall(b" ")


def headers_without_end(connection, ended):
    heard(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not ended.wait(0.05):
        connection.sendall(b"X: y\r\n")


@pytest.mark.parametrize("say", [nothing, now_and_then, headers_without_end])
def test_a_server_that_does_not_come_to_an_end_is_given_up_on(say, monkeypatch):
    monkeypatch.setattr(chroma_http, "_SECONDS", 1.0)  # the connector is forked from here
    with speaking(say) as port, connected(port) as (index, _):
        for _ in range(2):  # and the connector is free for the next wish
            began = time.monotonic()
            with pytest.raises(NearestError, match=r"did not answer within 1 s|broke off"):
                index.open(4)
            assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "broke off"),
        (b"\x00\xff" * 5_000, "broke off"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "broke off"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"1.0', "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "broke off"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n", "broke off"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000 + b"\r\n", "broke off"),
        (b"HTTP/1.1 one OK\r\n\r\n", "broke off"),
        (page(b"\xff\xfe"), "sent no answer that can be read"),
        (page(b"[" * 200_000), "sent no answer that can be read"),
        (page(b"NaN"), "of another version than is known here"),
        (page(b"1" * 5_000), "sent no answer that can be read"),
        (page(b""), "of another version than is known here"),
        (page(b"x" * (chroma_http._MOST_BYTES + 100)), "answered with more than 64 MiB"),
    ],
    ids=lambda each: str(each[:30] if isinstance(each, bytes) else each),
)
def test_a_server_that_sends_garbage_is_not_used_and_does_no_harm(said, why):
    def say(connection, _ended):
        heard(connection)
        connection.sendall(said)

    with speaking(say) as port, connected(port) as (index, running):
        with pytest.raises(NearestError) as refused:
            index.open(4)
        assert why in refused.value.message
        assert refused.value.hint
        assert len(refused.value.message) < 200
        assert index._line.held(check=True)["pid"] == running.pid  # it lives and hears


@pytest.mark.parametrize(
    "answer",
    [{}, [], None, {"ids": None}, {"ids": []}, {"ids": [[], []]}, {"ids": "ab"}, {"ids": [{}]}, {"ids": [7]}, "ids"],
)
def test_neighbours_in_another_form_are_none(server, answer):
    server.told[f"{OURS}/{UUID}/query"] = (200, lambda body: answer)
    with connected(server.server_port) as (index, _):
        index.open(4)
        with pytest.raises(NearestError, match="that can be read"):
            index.nearest(np.ones(4, dtype=np.float32), 3)


def test_more_neighbours_than_were_asked_for_are_not_taken(server):
    server.told[f"{OURS}/{UUID}/query"] = (200, lambda body: {"ids": [["ab" * 16] * 50_000]})
    with connected(server.server_port) as (index, _):
        index.open(4)
        assert len(index.nearest(np.ones(4, dtype=np.float32), 3)) == 3


def test_a_server_that_lost_its_collection_says_so_and_has_it_again_when_it_is_opened(server):
    with connected(server.server_port) as (index, _):
        index.open(4)
        there = server.told.pop(f"{OURS}/{UUID}/count")
        with pytest.raises(NearestError, match="refused with status 404"):
            index.count()
        with pytest.raises(NearestError, match="has no collection open"):
            index.nearest(np.ones(4, dtype=np.float32), 3)
        server.told[f"{OURS}/{UUID}/count"] = there
        index.open(4)
        assert index.count() == 0


def test_two_models_indexes_on_the_one_line_do_not_hear_each_others_answers(server):
    """While one model's vectors give way to another's, both speak to the server."""
    with connected(server.server_port) as (index, _):
        index.open(4)
        other = AtServer(index._line, "the same", "a" * 16, "c" * 16)
        wrong = []

        def count():
            wrong.extend(each for each in (other.count() for _ in range(100)) if each != 0)

        def ask():
            near = [b"\xab" * 16, b"\xcd" * 16]
            wrong.extend(e for e in (index.nearest(np.ones(4, dtype=np.float32), 3) for _ in range(100)) if e != near)

        both = [threading.Thread(target=each) for each in (count, ask)]
        for each in both:
            each.start()
        for each in both:
            each.join(60)
        assert wrong == []
        assert index._line._number == 201


def test_a_connection_that_was_closed_meanwhile_is_made_again(server):
    with connected(server.server_port) as (index, _):
        index.open(4)
        server.breaks = 1
        assert index.count() == 0
        server.breaks = 2
        with pytest.raises(NearestError, match="broke off"):
            index.count()
        assert index.count() == 0


def test_without_somebody_who_connects_it_says_so(server, monkeypatch):
    with connected(server.server_port, dialing=False) as (index, running):
        running.line.close()
        with pytest.raises(NearestError, match="nobody connects"):
            index.open(4)
    assert server.heard == []


@pytest.mark.parametrize(
    ("header", "ids", "vectors"),
    [
        ({"do": "fetch", "address": "http://127.0.0.1:1"}, 0, b""),
        ({"do": "open", "model": "b" * 16, "dimensions": 4, "vault": "../../../api"}, 0, b""),
        ({"do": "open", "model": "b" * 16, "dimensions": "4", "vault": "a" * 16}, 0, b""),
        ({"do": "drop", "vault": ".*"}, 0, b""),
        ({"do": "add"}, 2, b"text that is no vector"),
        ({"do": "nearest", "count": -1}, 0, bytes(16)),
        ({}, 0, b""),
    ],
)
def test_what_the_engine_may_not_ask_for_is_refused(server, header, ids, vectors):
    with connected(server.server_port) as (index, _):
        line = index._line._socket
        send(line, {"n": 1, **header}, [bytes(16)] * ids, vectors)
        answer, _, _ = receive(line)
        assert answer == {"n": 1, "done": False, "message": "that is no request", "hint": "", "ids": 0, "bytes": 0}
    assert server.heard == []


def test_it_says_what_holds_it_and_tries_it_again_when_it_is_asked(server):
    with connected(server.server_port) as (index, running):
        report = index._line.held(check=False)
        assert report["profile"] == "connector"
        assert report["pid"] == running.pid
        assert report["failed"] == ""
        assert {"internet socket", "connect", "run a program", "io_uring"} <= set(report["refused"])
        assert index._line.held(check=False) == report
        again = index._line.held(check=True)
        assert again["at"] > report["at"]
        assert {**again, "at": 0} == {**report, "at": 0}
    assert server.heard == []


def test_a_connector_that_has_ended_is_not_said_to_be_locked(server):
    with connected(server.server_port) as (index, running):
        before = index._line.held(check=True)
        os.kill(running.pid, signal.SIGKILL)
        after = index._line.held(check=True)
        assert after["failed"].startswith("the connector has ended")
        assert after["refused"] == before["refused"]


@pytest.mark.parametrize(
    "said",
    [None, {}, [], {"profile": "connector"}, {"refused": [{}]}, {"refused": ["x"] * 200}, {"pid": "<b>"}, {"more": 1},
     {"profile": "engine"}],
)  # fmt: skip
def test_a_report_that_is_none_is_not_shown(said):
    whole = {"profile": "connector", "system": "linux", "landlock": 4, "experimental": False, "refused": ["connect"],
             "missing": [], "pid": 7, "at": 1.5, "failed": ""}  # fmt: skip
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def answer(report):
            header, _, _ = receive(theirs)
            send(theirs, {"n": header["n"], "done": True, "report": report})

        for report in (whole, {**whole, **said} if said and said != {"profile": "connector"} else said):
            threading.Thread(target=answer, args=(report,), daemon=True).start()
            line = Line(ours)
            shown = line.held(check=True)
            if report is whole:
                assert shown == whole
        assert shown["failed"] == "the connector reports no lock"
        assert shown["pid"] == 0
        assert shown["refused"] == []


def test_it_ends_with_the_engine(server):
    running, line = Connector.start(server_address.Address("http", "127.0.0.1", server.server_port))
    line.close()
    assert os.waitpid(running.pid, 0)[1] == 0
    running.line.close()
