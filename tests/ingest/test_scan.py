"""What lies in a folder, and how that differs from what is known of it."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import filesystem, names
from ingest.scan import Changes, Entry, Known, Unread, compare, folders, look, missing, outermost, scan

ROOT = Path(__file__).resolve().parents[2]


def _make(folder, *paths):
    for path in paths:
        target = os.path.join(os.fsencode(folder), path if isinstance(path, bytes) else path.encode())
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(os.fsdecode(target)).write_bytes(b"text of " + os.path.basename(target))


def _found(folder, **options):
    at = os.fsencode(folder)
    return [os.path.relpath(each.path, at) for each in scan(at, **options) if isinstance(each, Entry)]


def _known(entries):
    return [
        Known(number, each.path, each.size, each.mtime_ns, each.inode, cloud=bool(each.reason))
        for number, each in enumerate(entries)
        if isinstance(each, Entry)
    ]


# --- scan -----------------------------------------------------------------------------------------------------------


def test_every_file_is_found_in_the_order_of_names_with_its_size_and_inode(tmp_path):
    _make(tmp_path, "b.txt", "a/z.pdf", "a/deep/er/x.eml", "c d/e f.txt")
    entries = list(scan(os.fsencode(tmp_path)))
    assert [os.path.relpath(each.path, os.fsencode(tmp_path)) for each in entries] == [
        b"b.txt", b"a/z.pdf", b"a/deep/er/x.eml", b"c d/e f.txt",
    ]  # fmt: skip
    status = (tmp_path / "b.txt").stat()
    assert entries[0] == Entry(os.fsencode(tmp_path / "b.txt"), status.st_size, status.st_mtime_ns, status.st_ino)


def test_names_that_are_no_text_are_found(tmp_path):
    odd = [b"line\nbreak.txt", b"\xff\xfe.pdf", "\u202etxt.exe".encode(), b" leading", b"-rf", b"tab\tname.eml"]
    _make(tmp_path, *odd)
    assert set(_found(tmp_path)) == set(odd)


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.txt", "~$report.docx", ".~lock.report.odt#", "report.docx~", "film.part", "film.crdownload",
        "x.tmp", ".x.swp", "x.swp", "#x.txt#", "Thumbs.db", "desktop.ini", "~WRL0001.tmp", "a.PARTIAL",
    ],
)  # fmt: skip
def test_hidden_temporary_and_partial_files_are_left_out(tmp_path, name):
    _make(tmp_path, name, "kept.txt")
    assert _found(tmp_path) == [b"kept.txt"]
    assert list(look(os.fsencode(tmp_path), [os.fsencode(tmp_path / name)])) == []


def test_hidden_folders_and_folders_that_are_kept_out_are_not_entered(tmp_path):
    _make(tmp_path, ".git/config", ".cache/a/b.txt", "page.download/x.txt", "vault/secret.txt", "kept/x.txt")
    vault = os.fsencode(tmp_path / "vault")
    assert _found(tmp_path, leave_out=[vault]) == [b"kept/x.txt"]
    assert list(look(os.fsencode(tmp_path), [vault, os.fsencode(tmp_path / ".git/config")], leave_out=[vault])) == []


def test_a_folder_that_is_hidden_itself_can_be_scanned(tmp_path):
    _make(tmp_path, ".mail/inbox/1.eml")
    assert _found(tmp_path / ".mail") == [b"inbox/1.eml"]


def test_a_maildir_is_read_without_what_is_being_delivered_and_with_its_hidden_subfolders(tmp_path):
    _make(tmp_path, "Mail/cur/1:2,S", "Mail/new/2", "Mail/tmp/3", "Mail/.Sent/cur/4:2,S", "Mail/.Sent/new/x",
          "Mail/.Sent/tmp/5", "Mail/.git/cur.txt", "tmp/6.txt")  # fmt: skip
    assert set(_found(tmp_path)) == {
        b"Mail/cur/1:2,S", b"Mail/new/2", b"Mail/.Sent/cur/4:2,S", b"Mail/.Sent/new/x", b"tmp/6.txt",
    }  # fmt: skip
    assert len(list(look(os.fsencode(tmp_path), [os.fsencode(tmp_path / "Mail/.Sent/cur/4:2,S")]))) == 1
    assert list(look(os.fsencode(tmp_path), [os.fsencode(tmp_path / "Mail/tmp/3")])) == []


def test_links_are_not_followed_out_nor_round_in_circles(tmp_path):
    _make(tmp_path, "outside/secret.txt", "folder/a.txt")
    (tmp_path / "folder/to_folder").symlink_to(tmp_path / "outside")
    (tmp_path / "folder/to_file.txt").symlink_to(tmp_path / "outside/secret.txt")
    (tmp_path / "folder/loop").symlink_to(tmp_path / "folder")
    (tmp_path / "folder/inside.txt").symlink_to("a.txt")
    assert _found(tmp_path / "folder") == [b"a.txt"]
    through = [
        os.fsencode(tmp_path / "folder" / each) for each in ("to_folder/secret.txt", "to_file.txt", "loop/a.txt")
    ]
    assert list(look(os.fsencode(tmp_path / "folder"), through)) == []


def test_pipes_and_sockets_are_no_documents(tmp_path):
    _make(tmp_path, "a.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    assert _found(tmp_path) == [b"a.txt"]


def test_a_folder_that_is_not_there_says_so_instead_of_being_empty(tmp_path):
    gone = os.fsencode(tmp_path / "gone")
    assert list(scan(gone)) == [Unread(gone, "it is not there")]


def test_another_drive_inside_is_named_and_not_entered(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs to be root, to mount")
    code = f"""
import os, subprocess
from ingest.scan import scan, look, folders
from ingest import filesystem
at = {os.fsencode(tmp_path)!r}
os.makedirs(at + b"/drive")
subprocess.run(["mount", "-t", "tmpfs", "none", at + b"/drive"], check=True)
open(at + b"/drive/a.txt", "w").close(); open(at + b"/b.txt", "w").close()
print([each.path[len(at):] for each in scan(at)], list(look(at, [at + b"/drive/a.txt"])), len(list(folders(at))))
print(filesystem.of(at + b"/drive/a.txt").kind)
"""
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "[b'/b.txt', b'/drive'] [] 1\ntmpfs\n", done.stderr


def test_a_folder_without_permission_is_named_and_the_rest_is_found():
    code = """
import os, sys
from ingest import scan, watch  # before the change of user, who may not read the interpreter's folder
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for each in scan.scan(os.fsencode(sys.argv[1])):
    print(os.path.basename(each.path), each.reason)
"""
    with tempfile.TemporaryDirectory() as at:
        _make(at, "open/a.txt", "shut/b.txt")
        os.chmod(at, 0o755)
        os.chmod(os.path.join(at, "shut"), 0)
        done = subprocess.run([sys.executable, "-c", code, at], cwd=ROOT, capture_output=True, text=True, check=False)
        os.chmod(os.path.join(at, "shut"), 0o700)
    assert done.stdout == "b'a.txt' \nb'shut' no permission to list this folder\n", done.stderr


def test_folders_to_watch_are_those_that_are_scanned(tmp_path):
    _make(tmp_path, "a/b/c.txt", ".git/x/y", "Mail/cur/1", "Mail/new/2", "Mail/tmp/3", "Mail/.Sent/cur/4", "vault/x")
    at = os.fsencode(tmp_path)
    listed = {os.path.relpath(each, at) for each in folders(at, leave_out=[os.path.join(at, b"vault")])}
    assert listed == {b".", b"a", b"a/b", b"Mail", b"Mail/cur", b"Mail/new", b"Mail/.Sent", b"Mail/.Sent/cur"}


# --- files in the cloud -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stub", [".Letter.pdf.icloud", "Letter.pdf.nextcloud"])
def test_a_stand_in_counts_as_the_file_that_is_only_in_the_cloud(tmp_path, stub):
    _make(tmp_path, stub)
    [entry] = scan(os.fsencode(tmp_path))
    assert os.path.basename(entry.path) == b"Letter.pdf"
    assert entry.reason == "only in the cloud, and not fetched"

    _make(tmp_path, "Letter.pdf")
    os.unlink(tmp_path / stub)
    [fetched] = scan(os.fsencode(tmp_path))
    assert fetched.reason == ""
    changes = compare([fetched], _known([entry]))
    assert [(row.path, now.reason) for row, now in changes.changed] == [(fetched.path, "")]

    os.rename(tmp_path / "Letter.pdf", tmp_path / stub)  # and back into the cloud, heard of by its own name alone
    assert [each.reason for each in look(os.fsencode(tmp_path), [fetched.path])] == [entry.reason]


def test_a_fetched_file_that_looks_the_same_is_read(tmp_path):
    """On macOS size, time and inode stay when the content arrives."""
    entry = Entry(b"/a/Letter.pdf", 100, 1, 1, "only in the cloud, and not fetched")
    changes = compare([Entry(b"/a/Letter.pdf", 100, 1, 1)], _known([entry]))
    assert len(changes.changed) == 1


def test_a_small_or_hollow_file_is_not_taken_for_one_in_the_cloud(tmp_path):
    (tmp_path / "small.txt").write_bytes(b"x")  # may lie inside its inode
    with (tmp_path / "hollow.txt").open("wb") as file:
        file.truncate(1 << 20)  # no blocks at all
    assert [each.reason for each in scan(os.fsencode(tmp_path))] == ["", ""]


_TABLE = b"""\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home/ada/Cloud\\040Drive rw - fuse.rclone remote: rw
31 22 0:41 / /run/user/1000/gvfs rw - fuse.gvfsd-fuse gvfsd-fuse rw
32 22 0:42 / /mnt/office rw,relatime shared:7 master:2 - cifs //office/docs rw
33 22 8:17 / /media/ada/stick rw - vfat /dev/sdb1 rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "cloud", "events", "inodes"),
    [
        (b"/home/ada/Documents", "ext4", False, True, True),
        (b"/home/ada/Cloud Drive/letters", "fuse.rclone", True, False, False),
        (b"/home/ada/Cloud Driver", "ext4", False, True, True),
        (b"/run/user/1000/gvfs/smb-share:server=nas", "fuse.gvfsd-fuse", False, False, False),
        (b"/run/user/1000/gvfs/google-drive:host=x", "fuse.gdrive", True, False, False),
        (b"/mnt/office/a", "cifs", False, False, False),
        (b"/media/ada/stick/a", "vfat", False, True, False),
    ],
)
def test_what_a_file_system_is_good_for(path, kind, cloud, events, inodes):
    found = filesystem.of(path, filesystem.mounts(_TABLE))
    assert (found.kind, found.is_cloud, found.events_complete, found.inodes_stay) == (kind, cloud, events, inodes)


def test_the_file_system_of_this_machine_is_known(tmp_path):
    if sys.platform != "linux":
        pytest.skip("needs Linux")
    assert filesystem.of(os.fsencode(tmp_path)).kind


# --- is it there? ---------------------------------------------------------------------------------------------------


def test_a_folder_is_missing_when_it_is_gone_or_another_one_without_its_files(tmp_path):
    drive, mount = tmp_path / "drive", tmp_path / "mount"
    _make(drive, "a.txt", "b.txt")
    known = [os.fsencode(mount / "a.txt"), os.fsencode(mount / "b.txt")]
    shutil.copytree(drive, mount)
    was = mount.stat()
    at = (os.fsencode(mount), was.st_dev, was.st_ino)
    assert missing(*at, known) == ""

    mount.rename(tmp_path / "unmounted")
    assert "is not there" in missing(*at, known)
    mount.mkdir()  # the empty mount point
    assert "is its drive mounted?" in missing(*at, known)
    _make(mount, "others.txt")
    assert "is its drive mounted?" in missing(*at, known)
    _make(mount, "b.txt")  # restored from a backup: another folder by its number
    assert missing(*at, known) == ""

    shutil.rmtree(mount)
    mount.write_text("a file")
    assert missing(*at, known) == "there is a file where the folder was"


def test_a_folder_whose_files_were_all_deleted_is_not_missing(tmp_path):
    _make(tmp_path, "a.txt")
    status = tmp_path.stat()
    os.unlink(tmp_path / "a.txt")
    assert missing(os.fsencode(tmp_path), status.st_dev, status.st_ino, [os.fsencode(tmp_path / "a.txt")]) == ""


# --- compare --------------------------------------------------------------------------------------------------------


def _entry(path, inode, size=10, time=1):
    return Entry(path, size, time, inode)


def test_a_rename_is_a_move_and_a_chain_of_renames_too():
    known = _known([_entry(b"/f/a", 1), _entry(b"/f/b", 2)])
    changes = compare([_entry(b"/f/b", 1), _entry(b"/f/c", 2)], known)
    assert [(row.path, now.path) for row, now in changes.moved] == [(b"/f/a", b"/f/b"), (b"/f/b", b"/f/c")]
    assert not (changes.new or changes.gone or changes.changed)


def test_two_files_that_swapped_names_are_two_moves():
    known = _known([_entry(b"/f/a", 1), _entry(b"/f/b", 2)])
    changes = compare([_entry(b"/f/b", 1), _entry(b"/f/a", 2)], known)
    assert {(row.path, now.path) for row, now in changes.moved} == {(b"/f/a", b"/f/b"), (b"/f/b", b"/f/a")}
    assert not (changes.new or changes.gone or changes.changed)


def test_a_file_replaced_as_editors_do_is_a_change():
    changes = compare([_entry(b"/f/a", 9, size=12, time=5)], _known([_entry(b"/f/a", 1)]))
    assert [(row.path, now.inode) for row, now in changes.changed] == [(b"/f/a", 9)]
    assert not (changes.new or changes.gone or changes.moved)


def test_a_file_moved_to_another_drive_is_known_by_name_size_and_time():
    changes = compare([_entry(b"/other/a.pdf", 77)], _known([_entry(b"/f/a.pdf", 1)]))
    assert [(row.path, now.path) for row, now in changes.moved] == [(b"/f/a.pdf", b"/other/a.pdf")]


def test_two_look_alikes_are_not_guessed_between():
    known = _known([_entry(b"/f/x/a", 1), _entry(b"/f/y/a", 2)])
    changes = compare([_entry(b"/g/a", 3)], known)
    assert len(changes.gone) == 2
    assert len(changes.new) == 1


def test_nothing_is_concluded_about_what_could_not_be_read():
    known = _known([_entry(b"/f/shut/a", 1), _entry(b"/f/shut/deep/b", 2), _entry(b"/f/c", 3), _entry(b"/f/shut2", 4)])
    changes = compare([Unread(b"/f/shut", "no permission")], known)
    assert {row.path for row in changes.gone} == {b"/f/c", b"/f/shut2"}
    assert changes.unread == (Unread(b"/f/shut", "no permission"),)


def test_inode_numbers_that_do_not_last_are_not_looked_at():
    known = _known([_entry(b"/f/a", 1), _entry(b"/f/b", 2)])
    found = [_entry(b"/f/a", 50), _entry(b"/f/b", 51)]
    assert not compare(found, known, inodes_stay=False)
    assert len(compare(found, known).changed) == 2


def test_one_of_two_hard_links_can_move():
    known = _known([_entry(b"/f/a", 1), _entry(b"/f/b", 1)])
    changes = compare([_entry(b"/f/a", 1), _entry(b"/f/c", 1)], known)
    assert [(row.path, now.path) for row, now in changes.moved] == [(b"/f/b", b"/f/c")]
    assert not (changes.new or changes.gone or changes.changed)


def test_a_file_to_be_tried_again_is_reported_though_it_looks_the_same():
    known = [Known(1, b"/f/a", 10, 1, 1, again=True)]
    assert len(compare([_entry(b"/f/a", 1)], known).changed) == 1


_NAME = st.sampled_from([b"a", b"b", b"c", b"sub/a", b"sub/b", b"sub/deep/c", b"other/a"])
_STEP = st.one_of(
    st.tuples(st.just("write"), _NAME, st.binary(min_size=1, max_size=3)),
    st.tuples(st.just("replace"), _NAME, st.binary(min_size=1, max_size=3)),
    st.tuples(st.just("delete"), _NAME),
    st.tuples(st.just("rename"), _NAME, _NAME),
    st.tuples(st.just("rename folder"), st.sampled_from([b"sub", b"sub/deep"]), st.sampled_from([b"n", b"m"])),
    st.tuples(st.just("link"), _NAME, _NAME),
    st.tuples(st.just("copy"), _NAME, _NAME),
)  # fmt: skip


def _do(at, step, clock):
    verb, name, *rest = step
    path = os.path.join(at, name)
    other = os.path.join(at, rest[0]) if rest else b""
    if verb in ("write", "replace"):
        target = path + b".x" if verb == "replace" else path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.isdir(target):
            return
        with open(target, "wb") as file:
            file.write(rest[0])
        os.utime(target, ns=(clock, clock))  # each write at another moment, however coarse the clock
        if verb == "replace":
            os.rename(target, path)
    elif not os.path.lexists(path):
        return
    elif verb == "delete":
        os.unlink(path)
    elif os.path.lexists(other) and verb != "rename":
        return
    else:
        os.makedirs(os.path.dirname(other), exist_ok=True)
        {"rename": os.rename, "rename folder": os.rename, "link": os.link, "copy": shutil.copy}[verb](path, other)


def _apply(vault, changes: Changes):
    """What the vault would hold afterwards: path → content, read only where the changes say so."""
    kept = dict(vault)
    taken = {now.path: kept[row.path] for row, now in changes.moved}
    for row, _ in (*changes.moved, *changes.changed):
        kept.pop(row.path)
    for row in changes.gone:
        kept.pop(row.path)
    kept |= taken
    for entry in (*changes.new, *(now for _, now in changes.changed)):
        kept[entry.path] = Path(os.fsdecode(entry.path)).read_bytes()
    return kept


@settings(max_examples=150, deadline=None)
@given(before=st.lists(_STEP, max_size=12), after=st.lists(_STEP, max_size=12))
def test_applying_the_changes_always_gives_what_is_on_the_disk(tmp_path_factory, before, after):
    at = os.fsencode(tmp_path_factory.mktemp("f"))
    try:
        for clock, step in enumerate(before, start=1):
            _do(at, step, clock * 1_000_000)
        known = _known(scan(at))
        vault = {row.path: Path(os.fsdecode(row.path)).read_bytes() for row in known}
        for clock, step in enumerate(after, start=1000):
            _do(at, step, clock * 1_000_000)
        found = list(scan(at))
        changes = compare(found, known)
        truth = {each.path: Path(os.fsdecode(each.path)).read_bytes() for each in found}
        assert _apply(vault, changes) == truth
        touched = {row.id for row, _ in (*changes.moved, *changes.changed)} | {row.id for row in changes.gone}
        assert len(touched) == len(changes.moved) + len(changes.changed) + len(changes.gone)
        assert not compare(found, _known(found))
    finally:
        shutil.rmtree(os.fsdecode(at))


@given(
    st.lists(st.lists(st.sampled_from([b"a", b"a b", b"a!", b"b"]), min_size=1, max_size=4).map(b"/".join), max_size=12)
)
def test_the_outermost_paths_cover_all_and_none_lies_in_another(paths):
    kept = outermost(paths)
    assert all(any(path == each or path.startswith(each + b"/") for each in kept) for path in paths)
    assert not any(one != other and one.startswith(other + b"/") for one in kept for other in kept)


@given(st.binary(min_size=1, max_size=20).filter(lambda name: b"/" not in name and b"\0" not in name))
def test_a_stand_in_stands_for_what_it_was_made_from(name):
    for each in names.stand_ins(name):
        if not name.startswith(b"."):
            assert names.stands_for(each) == name
