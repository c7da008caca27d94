"""The `strongroom` command, run as a person or a script runs it: real processes, real files, a real vault."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
import referencing

from ui.command import main

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "twelve grey herons over the weir"
SECONDS = 120  # for a command on a machine that is busy

LETTER = (
    "Dear Mrs Okafor,\n\nThe yearly service of your boiler costs 184.50 pounds and is due in March 2026.\n\n"
    "Please ring 0117 496 0182 to agree on a day.\n\nHarbour Heating\n"
)
CONTRACT = "Agreement\r\n\r\nEither side may end this agreement with six weeks' notice in writing.\r\n"
HOSTILE = "Kestrel report\n\n\x1b]0;owned\x07The kestrel nests on the \x9b2Jold \u202egnittim church tower.\n"


class Person:
    """Somebody at a terminal: a home of their own, a vault, and a passphrase in a file."""

    def __init__(self, home: Path, passphrase: str = PASSPHRASE):
        self.home = home
        self.vault = home / ".local/share/strongroom/vault"
        self.secret = home / "passphrase"
        home.mkdir(parents=True, exist_ok=True)
        self.secret.write_text(passphrase + "\n")
        self.secret.chmod(0o600)

    def environment(self, **more):
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return {**kept, "HOME": str(self.home), "STRONGROOM_PASSPHRASE_FILE": str(self.secret), "PYTHONPATH": str(ROOT),
                **more}  # fmt: skip

    def run(self, *words, given=None, **more):
        return subprocess.run(
            [sys.executable, "-m", "ui.command", *map(os.fspath, words)], input=given, capture_output=True,
            cwd=self.home, env=self.environment(**more), timeout=SECONDS, check=False, start_new_session=True,
            encoding="utf-8", errors="surrogateescape", stdin=subprocess.DEVNULL if given is None else None,
        )  # fmt: skip

    def ok(self, *words, **options):
        done = self.run(*words, **options)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done

    def json(self, *words, **options):
        [line] = self.ok(*words, "--json", **options).stdout.splitlines()
        return json.loads(line)

    def start(self, *words, **more):
        return subprocess.Popen(
            [sys.executable, "-m", "ui.command", *map(os.fspath, words)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.home, env=self.environment(**more), text=True,
            start_new_session=True,
        )  # fmt: skip

    def at_terminal(self, *words, typed=(), **more):
        """Run on a terminal; `typed` are answers to prompts that end in `: ` or `] `. Returns exit code and screen."""
        controller, terminal = pty.openpty()
        child = subprocess.Popen(
            [sys.executable, "-m", "ui.command", *map(os.fspath, words)], stdin=terminal, stdout=terminal,
            stderr=terminal, cwd=self.home, env=self.environment(TERM="xterm", **more), start_new_session=True,
        )  # fmt: skip
        os.close(terminal)
        answers = list(typed)
        screen = b""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            if not select.select([controller], [], [], 0.1)[0]:
                continue
            try:
                block = os.read(controller, 65536)
            except OSError:  # the command has ended
                break
            screen += block
            if answers and screen.endswith((b": ", b"] ")):
                os.write(controller, answers.pop(0).encode() + b"\n")
        os.close(controller)
        return child.wait(timeout=10), screen.decode(errors="replace")


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("papers")
    (folder / "boiler.txt").write_text(LETTER)
    (folder / "agreement.txt").write_bytes(b"\xef\xbb\xbf" + CONTRACT.encode())
    (folder / "kestrel.txt").write_text(HOSTILE)
    (folder / "two\nlines.txt").write_text("The piano was tuned by Ines Valadares on 4 May 2025.\n")
    (folder / "\u202egnip.txt").write_text("The pinhole camera was lent to cousin Bertram.\n")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nthis is none\n")
    (folder / "picture.xyz").write_bytes(bytes(range(256)))
    (folder / ".hidden.txt").write_text("The hidden owl.\n")
    return folder


@pytest.fixture(scope="module")
def person(tmp_path_factory, papers):
    """A person who has set up a vault and added a folder."""
    ada = Person(tmp_path_factory.mktemp("home"))
    made = ada.ok("init")
    ada.recovery_code = re.search(r"recovery code: ([A-Z0-9-]{20,})", made.stdout)[1]
    ada.made = made
    ada.added = ada.run("add", papers, "--wait")
    return ada


@pytest.fixture(scope="module")
def schemas():
    folder = ROOT / "docs" / "reference"
    loaded = {name: json.loads((folder / f"{name}.schema.json").read_text()) for name in ("hit", "answer")}
    registry = referencing.Registry().with_resources(
        [(f"{name}.schema.json", referencing.Resource.from_contents(schema)) for name, schema in loaded.items()]
    )
    return {name: jsonschema.Draft202012Validator(schema, registry=registry) for name, schema in loaded.items()}


# --- setting up ------------------------------------------------------------------------------------------------------


def test_init_prints_the_recovery_code_and_says_what_is_lost_without_it(person):
    assert "neither the passphrase nor this code" in person.made.stdout
    assert "never your documents" in person.made.stdout
    assert person.made.stderr == ""
    assert (person.vault.stat().st_mode & 0o777) == 0o700


def test_a_second_vault_is_not_made_over_the_first(person):
    done = person.run("init")
    assert done.returncode == 1
    assert f"{person.vault} already holds a vault" in done.stderr
    assert "hint: " in done.stderr


def test_nothing_outside_vault_and_state_is_written(person):
    kept = {each.relative_to(person.home) for each in person.home.rglob("*") if each.is_file()}
    own = {Path("passphrase")}
    inside = (Path(".local/share/strongroom"), Path(".local/state/strongroom"))
    assert [
        each for each in kept - own if not each.is_relative_to(inside[0]) and not each.is_relative_to(inside[1])
    ] == []
    text = b"kestrel"
    assert not any(text in each.read_bytes() for each in person.home.rglob("*") if each.is_file())


def test_a_vault_that_lies_where_the_first_ones_did_is_found(tmp_path):
    ada = Person(tmp_path)
    old = tmp_path / ".local/share/strongroom"
    ada.ok("--vault", old, "init")
    assert json.loads(ada.ok("status", "--json").stdout)["vault"] == str(old)


def test_without_a_vault_every_command_says_so(tmp_path):
    nobody = Person(tmp_path)
    for words in (["ask", "x"], ["list"], ["verify"], ["destroy", "--yes"], ["lock"]):
        done = nobody.run(*words)
        if words != ["verify"]:
            assert done.returncode == 1, words
            assert "no vault at" in done.stderr
    assert nobody.json("status")["state"] == "none"


def test_the_home_folder_is_left_alone_by_a_vault_elsewhere(tmp_path):
    ada = Person(tmp_path / "home")
    ada.ok("--vault", tmp_path / "safe", "init", XDG_STATE_HOME=str(tmp_path / "state"))
    assert (tmp_path / "safe/header").exists()
    assert [each.name for each in ada.home.iterdir()] == ["passphrase"]
    shutil.rmtree(tmp_path / "safe")


# --- with no engine running: each command opens the vault itself -----------------------------------------------------


def test_ask_answers_verbatim_with_a_citation_at_the_right_place(person, papers, schemas):
    found = person.json("ask", "How much notice ends the agreement?")
    schemas["answer"].validate(found)
    cited = found["statements"][0]["citations"][0]
    assert cited["path"] == str(papers / "agreement.txt")
    assert "six weeks' notice" in cited["quote"]
    # Offsets index the decoded text, newlines as they are and without the byte order mark
    assert CONTRACT[cited["start"] : cited["end"]] == cited["quote"]


def test_a_wrong_passphrase_opens_nothing(person):
    wrong = person.home / "wrong"
    wrong.write_text("thirteen grey herons\n")
    wrong.chmod(0o600)
    done = person.run("list", STRONGROOM_PASSPHRASE_FILE=str(wrong))
    assert done.returncode == 1
    assert "the passphrase is wrong" in done.stderr
    wrong.unlink()


def test_the_recovery_code_opens_the_vault(person):
    code = person.home / "code"
    code.write_text(person.recovery_code + "\n")
    code.chmod(0o600)
    assert person.ok("settings", STRONGROOM_PASSPHRASE_FILE=str(code)).stdout.startswith("auto_lock_minutes")
    code.unlink()


def test_a_mistyped_passphrase_is_asked_for_again(person):
    code, screen = person.at_terminal("settings", typed=["oops oops oops", PASSPHRASE], STRONGROOM_PASSPHRASE_FILE="")
    assert code == 0, screen
    assert "the passphrase is wrong" in screen
    assert PASSPHRASE not in screen


def test_without_passphrase_file_and_terminal_it_says_what_to_set(person):
    done = person.run("list", STRONGROOM_PASSPHRASE_FILE="")
    assert done.returncode == 1
    assert "STRONGROOM_PASSPHRASE_FILE" in done.stderr


def test_a_passphrase_file_that_others_can_read_is_pointed_out(person):
    person.secret.chmod(0o644)
    assert "others on this machine may read" in person.run("settings").stderr
    person.secret.chmod(0o600)


def test_a_vault_that_is_open_in_another_process_says_in_which(person, tmp_path):
    code = f"""
import sys
from pathlib import Path
from vault.vault import Vault
vault = Vault.open(Path({str(person.vault)!r}), {PASSPHRASE!r}, state=Path({str(tmp_path)!r}), accept_older=True)
print("open", flush=True)
sys.stdin.read()
"""
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.readline()
    done = person.run("list")
    holder.communicate()
    assert done.returncode == 1
    assert f"is open in process {holder.pid}" in done.stderr


def test_what_happened_while_nothing_ran_is_followed(person, tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "kept.txt").write_text("The lighthouse keeper was called Osgood.\n")
    (folder / "moved.txt").write_text("The ferry leaves at a quarter past nine.\n")
    (folder / "deleted.txt").write_text("The walrus sleeps on the pier.\n")
    person.ok("add", folder, "--wait")
    (folder / "kept.txt").write_text("The lighthouse keeper was called Wilhelmina.\n")
    (folder / "sub").mkdir()
    os.rename(folder / "moved.txt", folder / "sub/timetable.txt")
    os.unlink(folder / "deleted.txt")
    person.ok("add", folder, "--wait")
    assert "Wilhelmina" in person.json("search", "lighthouse keeper")[0]["quote"]
    assert person.json("search", "ferry leaves")[0]["path"] == str(folder / "sub/timetable.txt")
    assert all("walrus" not in hit["quote"] for hit in person.json("search", "walrus pier"))
    person.ok("remove", folder)


def test_an_interrupted_command_says_so_and_loses_nothing(tmp_path):
    ada = Person(tmp_path / "home")
    many = tmp_path / "many"
    many.mkdir()
    for number in range(6000):
        (many / f"{number}.txt").write_text(
            f"Note {number} says that parcel {number} went to shelf {number % 7}.\n" * 9
        )
    ada.ok("init")
    adding = ada.start("add", many, "--wait")
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and not re.search(r"[1-9]\d* of 6,000", adding.stderr.readline()):
        pass
    adding.send_signal(signal.SIGINT)
    _, told = adding.communicate(timeout=60)
    assert adding.returncode == 130, told
    assert "interrupted" in told
    found = ada.json("list", "--files", "--count", "1")
    assert found["total"] == 6000


def test_a_file_whose_name_is_no_text_is_read_and_found(tmp_path):
    ada = Person(tmp_path / "home")
    (tmp_path / "papers").mkdir()
    name = os.fsencode(tmp_path / "papers") + b"/jam\xff.txt"
    Path(os.fsdecode(name)).write_text("The quince jam needs eleven jars.\n")
    ada.ok("init")
    ada.ok("add", tmp_path / "papers", "--wait")
    [hit, *_] = ada.json("search", "quince jam")
    assert "eleven jars" in hit["quote"]
    assert ada.json("show", os.fsdecode(name))["id"] == hit["document"]


def results(report):
    return {each["id"]: each["result"] for each in report["rows"]}


def numbers(output):
    return [int(each) for each in re.findall(r"\d+", output)]


def as_large(packed, plain):
    return packed > 0.98 * plain


OUTSIDE = {
    # what the command beside a row has to print where the row is held
    "vault.modes": lambda out: len(out.splitlines()) >= 4 and all(e.split()[0].endswith("------") for e in out.splitlines()),
    "vault.noise": lambda out: as_large(*numbers(out)[:2]),
    "machine.swap": lambda out: "/dev/" not in out.replace("/dev/zram", "") or "crypt" in out,
    "machine.hibernation": lambda out: out.strip() in ("0:0", ""),
    "machine.user": lambda out: out.strip() != "0",
}


def test_verify_tries_the_protection_out(person, tmp_path):
    report = person.json("verify")
    found = results(report)
    for row in report["rows"]:
        assert row["command"] or row["result"] == "unknown", row["id"]
        if row["id"] in OUTSIDE and row["result"] == "held":
            out = subprocess.run(["/bin/sh", "-c", row["command"]], capture_output=True, text=True, check=False).stdout
            assert OUTSIDE[row["id"]](out), (row["command"], out)
    assert [name for name, result in found.items() if result == "not held"] == []
    for name in ("lock.worker", "lock.core", "vault.wrong", "vault.header", "vault.tampered", "purge.copy", "tamper.bits",
                 "purge.shredded"):  # fmt: skip
        assert found[name] == "held", name
    assert "canaries.kill" in found


# --- keys and copies -------------------------------------------------------------------------------------------------


def test_a_backup_is_restored_on_another_machine(person, tmp_path):
    backup = tmp_path / "backup"
    person.ok("backup", backup)
    assert person.run("backup", backup).returncode == 1
    elsewhere = Person(tmp_path / "elsewhere")
    elsewhere.ok("restore", backup)
    assert "184.50" in elsewhere.ok("ask", "What does the boiler service cost?").stdout
    refused = elsewhere.run("restore", backup)
    assert refused.returncode == 1
    assert "--replace" in refused.stderr


def test_a_damaged_vault_has_its_own_exit_code(person, tmp_path):
    backup = tmp_path / "backup"
    person.ok("backup", backup)
    elsewhere = Person(tmp_path / "elsewhere")
    elsewhere.ok("restore", backup)
    [database] = elsewhere.vault.glob("store-*.db")
    whole = database.read_bytes()
    database.write_bytes(whole[:40_000] + bytes(4096) + whole[44_096:])
    done = elsewhere.run("search", "boiler")
    assert done.returncode == 3, done.stderr
    assert "hint: " in done.stderr
    database.write_bytes(whole)
    header = elsewhere.vault / "header"
    header.write_bytes(header.read_bytes()[:-1])
    assert elsewhere.run("search", "boiler").returncode == 3


def test_passphrase_and_recovery_code_can_be_changed_unattended(tmp_path):
    ada = Person(tmp_path)
    ada.ok("init")
    new = tmp_path / "new"
    new.write_text("six brown hares beside the lane\n")
    new.chmod(0o600)
    ada.ok("passwd", "--new-from", new)
    assert ada.run("settings").returncode == 1
    os.replace(new, ada.secret)
    ada.ok("settings")
    code = ada.json("recovery")["recovery_code"]
    ada.secret.write_text(code + "\n")
    ada.ok("settings")


def test_destroy_leaves_nothing_of_the_vault(tmp_path):
    ada = Person(tmp_path)
    ada.ok("init")
    assert ada.run("destroy").returncode == 1  # nobody there to ask
    assert ada.vault.exists()
    ada.ok("destroy", "--yes")
    assert not ada.vault.exists()
    state = tmp_path / ".local/state/strongroom"
    assert [each.name for each in state.rglob("*") if each.is_file()] == []


def test_a_purge_that_no_engine_runs_for_is_shredded_before_the_command_ends(person, tmp_path):
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "secret.txt").write_text("The quince recipe of great-uncle Thaddeus calls for asafoetida.\n")
    person.ok("add", folder, "--wait")
    before = next(person.vault.glob("store-*.db")).name
    shown = person.ok("purge", folder / "secret.txt", "--yes").stdout
    assert "purged 1 document" in shown
    assert "the vault has the old one no more" in shown
    assert "nothing was found" in shown
    assert next(person.vault.glob("store-*.db")).name != before
    assert person.json("purge", "--wait")["stage"] == "none"
    person.ok("remove", folder)


# --- with an engine running ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(person):
    """The engine and page of `person`, unlocked."""
    serving = person.start("serve")
    line = serving.stdout.readline()
    yield re.search(r"http://[0-9a-f]+\.localhost:\d+/\?token=\S+", line)[0]
    serving.send_signal(signal.SIGTERM)
    serving.communicate(timeout=30)


def test_commands_ask_the_engine_that_runs(person, served, tmp_path):
    status = person.json("status")
    assert status["running"]
    assert status["state"] == "open"
    no_file = {"STRONGROOM_PASSPHRASE_FILE": ""}  # it is open: no passphrase is needed
    assert "184.50" in person.ok("ask", "What does the boiler service cost?", **no_file).stdout
    assert person.ok("serve", **no_file).stdout.startswith("http://")
    person.ok("backup", tmp_path / "backup", **no_file)
    assert {each.name for each in (tmp_path / "backup").iterdir()} >= {"header", "backup"}
    done = person.run("destroy", "--yes")
    assert done.returncode == 1
    assert "at work on the vault" in done.stderr
    assert person.vault.exists()


def test_a_saved_file_is_found_within_a_second(person, papers, served):
    from engine import client

    with client.connect(person.vault, person.home / ".local/state/strongroom") as engine:
        (papers / "saved.txt").write_text("The umbrella stand is made of walnut.\n")
        saved = time.monotonic()
        while not any("walnut" in hit["quote"] for hit in engine.call("search", query="umbrella walnut")["hits"]):
            assert time.monotonic() - saved < 30
            time.sleep(0.02)


# --- asking ----------------------------------------------------------------------------------------------------------


def test_ask_abstains_in_words_when_nothing_answers(person, served, schemas):
    found = person.json("ask", "What is the registration number of the helicopter?")
    schemas["answer"].validate(found)
    assert found["abstained"]
    assert found["missing"]


def test_ask_prints_statement_and_source_for_people(person, served):
    done = person.ok("ask", "What does the boiler service cost?")
    assert "184.50 pounds" in done.stdout
    assert re.search(r"^\[1\] .*boiler\.txt", done.stdout, re.MULTILINE)
    assert "\x1b" not in done.stdout


def test_a_question_on_standard_input_stays_out_of_the_arguments(person, served):
    assert "184.50" in person.ok("ask", given="What does the boiler service cost?\n").stdout


def test_a_question_that_is_far_too_long_is_refused_clearly(person, served):
    done = person.run("ask", given="why " * 25_000)
    assert done.returncode == 1
    assert "the question has 99,999 characters" in done.stderr


def test_questions_are_prompted_for_and_follow_one_another(person, served):
    code, screen = person.at_terminal("ask", typed=["What does the boiler service cost?", "And when is it due?", ""])
    assert code == 0
    assert "184.50" in screen
    assert "March 2026" in screen


def test_escape_sequences_of_a_document_never_reach_the_terminal(person, served):
    code, screen = person.at_terminal("ask", "Where does the kestrel nest?")
    assert code == 0
    assert "church tower" in screen.replace("\x1b[1;33m", "").replace("\x1b[0m", "")
    assert "\x1b[1;33m" in screen  # marked words: colours of our own are there
    live = re.sub(r"\x1b\[(?:0|1|2|31|32|1;33)m", "", screen)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]", live), live
    _, screen = person.at_terminal("ask", "Where does the kestrel nest?", NO_COLOR="1")
    assert "\x1b" not in screen


def test_search_prints_one_array_a_query_best_first(person, served, papers, schemas):
    done = person.ok("search", "--stdin", "--json", "-k", "3", given="boiler service\n\nkestrel tower\n")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 3
    assert lines[1] == []
    for hits, name in ((lines[0], "boiler.txt"), (lines[2], "kestrel.txt")):
        for hit in hits:
            schemas["hit"].validate(hit)
        assert hits[0]["path"] == str(papers / name)
        assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))
        assert len(hits) <= 3


def test_filters_are_options_too(person, served, papers):
    assert person.json("search", "service", "--path", "agreement.txt")[0]["path"] == str(papers / "agreement.txt")
    done = person.run("search", "service", "--after", "soon")
    assert done.returncode == 1
    assert "soon" in done.stderr


@pytest.mark.parametrize(
    ("query", "name"),
    [("piano tuned", "two\nlines.txt"), ("pinhole camera", "\u202egnip.txt")],
)
def test_files_with_odd_names_are_found_and_named_harmlessly(person, served, papers, query, name):
    [hit, *_] = person.json("search", query)
    assert hit["path"] == str(papers / name)
    shown = person.ok("search", query, "-k", "1").stdout
    assert "\u202e" not in shown
    assert "two␊lines.txt" in shown or name != "two\nlines.txt"


# --- documents, files, folders ---------------------------------------------------------------------------------------


def test_add_waits_for_every_file_and_says_which_failed_and_why(person, served, papers):
    assert person.added.returncode == 4, person.added.stderr
    assert "broken.pdf: " in person.added.stdout
    assert "failed" in person.added.stdout
    found = person.json("list", "--files", "--all")
    states = {Path(row["path"]).name: row["state"] for row in found["rows"]}
    assert states["boiler.txt"] == "done"
    assert states["picture.xyz"] == "unsupported"
    assert states["broken.pdf"] == "failed"
    assert ".hidden.txt" not in states
    assert set(states.values()) <= {"done", "partial", "failed", "unsupported"}, states
    assert all(row["reason"] for row in found["rows"] if row["state"] != "done")


def test_show_prints_the_text_as_it_is(person, served, papers):
    assert person.json("show", papers / "agreement.txt")["text"] == CONTRACT
    found = person.json("show", papers / "boiler.txt", "--start", "5", "--end", "16")
    assert found["text"] == LETTER[5:16]
    assert person.json("show", found["id"][:10])["id"] == found["id"]


def test_show_of_what_is_not_there_says_so(person, served):
    done = person.run("show", "/nowhere.txt")
    assert done.returncode == 1
    assert "no document /nowhere.txt" in done.stderr


def test_list_finds_by_words_and_by_state(person, served):
    assert [Path(row["paths"][0]).name for row in person.json("list", "boiler")["rows"]] == ["boiler.txt"]
    assert [Path(row["path"]).name for row in person.json("list", "--failed")["rows"]].count("broken.pdf") == 1
    found = person.json("list", "--count", "2")
    assert len(found["rows"]) == 2
    assert found["total"] > 2
    assert len(person.json("list", "--all")["rows"]) == found["total"]


def test_a_folder_that_moved_to_another_place_is_not_read_again(person, served, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    (old / "a.txt").write_text("The cello case has a brass lock.\n")
    person.ok("add", old, "--wait")
    os.rename(old, new)
    row = person.json("folders", "relocate", old, new)
    assert row["path"] == str(new)
    assert person.json("search", "cello case")[0]["path"] == str(new / "a.txt")
    person.ok("pause", new)
    assert next(row for row in person.json("folders") if row["path"] == str(new))["paused"]
    person.ok("resume", new)
    person.ok("remove", new)


def test_a_drive_that_is_not_mounted_is_no_deletion(person, served, tmp_path):
    drive = tmp_path / "drive"
    drive.mkdir()
    (drive / "a.txt").write_text("The sextant belonged to Captain Ludlow.\n")
    person.ok("add", drive, "--wait")
    os.rename(drive, tmp_path / "unplugged")
    (tmp_path / "drive").mkdir()  # the empty mount point
    person.json("search", "sextant")
    assert person.json("search", "sextant")[0]["path"] == str(drive / "a.txt")
    row = next(row for row in person.json("folders") if row["path"] == str(drive))
    assert row["state"] == "missing"
    assert "mounted" in row["reason"]
    person.ok("remove", drive)


def test_a_purged_document_is_gone_stays_gone_and_can_be_allowed_again(person, served, tmp_path):
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "secret.txt").write_text("The marmalade recipe of great-aunt Philippa calls for bergamot.\n")
    person.ok("add", folder, "--wait")
    assert person.json("search", "marmalade bergamot")[0]["path"] == str(folder / "secret.txt")

    asked = person.run("purge", folder / "secret.txt")
    assert asked.returncode == 1  # nobody there to ask
    assert "--yes" in asked.stderr
    _, screen = person.at_terminal("purge", folder / "secret.txt", typed=["n"])
    assert "nothing was purged" in screen
    assert person.json("search", "marmalade bergamot")[0]["path"] == str(folder / "secret.txt")

    receipt = person.json("purge", folder / "secret.txt", "--yes")
    assert receipt["confirmed"]
    assert receipt["removed"]["documents"] == 1
    assert all(check["found"] == 0 for check in receipt["checks"])
    assert (folder / "secret.txt").exists()
    assert receipt["stage"]["name"] in ("erased", "shredding")  # it goes on by itself; who wants to wait for it may
    assert person.json("purge", "--wait")["stage"] == "none"
    [row] = [row for row in person.json("purge", "--receipts") if row["id"] == receipt["id"]]
    assert row["stage"]["name"] == "shredded"
    assert row["stage"]["confirmed"]

    person.run("add", folder, "--wait")
    assert all("bergamot" not in hit["quote"] for hit in person.json("search", "marmalade bergamot"))
    assert person.json("purge", "--receipts")[0]["removed"] == receipt["removed"]

    assert person.json("purge", "--lift", folder / "secret.txt") == {"lifted": [True]}
    person.run("add", folder, "--wait")
    assert "bergamot" in person.json("search", "marmalade bergamot")[0]["quote"]
    person.ok("remove", folder)
    assert all("bergamot" not in hit["quote"] for hit in person.json("search", "marmalade bergamot"))


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "/no/such/folder"], "there is no folder /no/such/folder"),
        (["add", "passphrase"], "is a file"),
        (["add", ".local/share/strongroom/vault"], "own folder"),
        (["remove", "/somewhere"], "/somewhere is not one of the folders"),
        (["folders", "relocate", "/one"], "relocate needs two paths"),
        (["settings", "colour", "blue"], "no setting is called 'colour'"),
        (["settings", "auto-lock-minutes", "soon"], "auto_lock_minutes cannot be 'soon'"),
        (["purge"], "nothing to purge was named"),
        (["restore", "/no/backup", "--vault", "other"], "there is no folder /no/backup"),
        (["backup", "/no/such/place/backup"], "there is no folder /no/such/place"),
    ],
)
def test_mistakes_are_named_with_a_way_on(person, served, words, said):
    done = person.run(*words)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.startswith("strongroom: ")
    assert "Traceback" not in done.stderr


def test_wrong_usage_has_its_own_exit_code(person, served):
    assert person.run("fetch").returncode == 2
    assert person.run("search", "-k", "0", "x").returncode == 2


def test_output_that_nobody_reads_on_is_no_failure(person, served):
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m ui.command list --all | head -1"],
        cwd=person.home, env=person.environment(), capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_lock_ends_what_is_open_and_unlock_opens_it_again(person, served):
    person.ok("lock")
    status = person.json("status")
    assert status["state"] == "locked"
    assert "documents" not in status
    assert person.run("ask", "x", STRONGROOM_PASSPHRASE_FILE="").returncode == 1
    person.ok("unlock")
    assert person.json("status")["state"] == "open"


# --- demo ------------------------------------------------------------------------------------------------------------


def test_the_demo_answers_three_questions_and_leaves_nothing(tmp_path):
    nobody = Person(tmp_path / "home")
    (tmp_path / "tmp").mkdir()
    done = nobody.ok("demo", "--no-page", TMPDIR=str(tmp_path / "tmp"))
    assert len(re.findall(r"^\? ", done.stdout, re.MULTILINE)) == 3
    assert len(re.findall(r"^\[1\] ", done.stdout, re.MULTILINE)) == 3
    assert list((tmp_path / "tmp").iterdir()) == []
    assert [each for each in nobody.home.rglob("*") if each != nobody.secret] == []


def test_the_demo_serves_the_page_until_it_is_interrupted(tmp_path):
    nobody = Person(tmp_path / "home")
    (tmp_path / "tmp").mkdir()
    demo = nobody.start("demo", TMPDIR=str(tmp_path / "tmp"))
    lines = []
    while not lines or "ask more at" not in lines[-1]:
        lines.append(demo.stdout.readline())
        assert lines[-1], demo.communicate()
    assert re.search(r"http://[0-9a-f]+\.localhost:\d+/\?token=", lines[-1])
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=30)
    assert demo.returncode == 0
    assert list((tmp_path / "tmp").iterdir()) == []


# --- the edges -------------------------------------------------------------------------------------------------------


def test_help_needs_nothing(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "STRONGROOM_PASSPHRASE_FILE" in capsys.readouterr().out


def test_starting_a_command_imports_nothing_heavy():
    code = "import sys, ui.command, ui.command_session, ui.command_run, ui.command_keys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"openvino", "numpy", "streamlit", "apsw", "cryptography", "tokenizers", "python_calamine", "pypdfium2"}
    assert not heavy & set(done.stdout.split())
