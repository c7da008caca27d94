"""What `disk.c` recorded, and what a disk may hold of it after the power was cut.

The model is stricter than the file systems that people have, after ALICE (Pillai et al., OSDI 2014) and CrashMonkey
(Mohan et al., OSDI 2018): only fsync makes anything durable, and everything else may or may not have reached the disk,
in any order.

- A file's writes and truncations since its last fsync: any of them may be missing, also one before another that is
  there; a write may be there in part, in blocks of 4,096 bytes or sectors of 512. A sector is never half written, and
  a torn write damages nothing beside what it wrote.
- A name (of a file that was made, renamed, linked or removed, of a folder) is as durable as the last fsync of its
  folder. An fsync of the file itself does not keep its name, though ext4 and XFS do so. A rename is there or not, never
  in part, though its two folders may differ otherwise.
- An fsync that failed gives up what it was to write: later ones do not bring it to the disk (as Linux does,
  https://wiki.postgresql.org/wiki/Fsync_Errors).
"""

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

OPEN, CLOSE, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR, LINK, MARK, FAILED = range(1, 13)
NOTHING, KILL, KILL_HALFWAY, FAIL_ONCE, FAIL_ON, SHORT_THEN_FAIL = range(6)
"""what to do at the n-th call, see disk.c"""
_HEAD = struct.Struct("=IIiiQQII")
_MAGIC = 0x6B736964
NAMES = (
    "", "OPEN", "CLOSE", "WRITE", "TRUNCATE", "SYNC", "RENAME", "UNLINK", "MKDIR", "RMDIR", "LINK", "MARK", "FAILED",
)  # fmt: skip
SECTOR, BLOCK = 512, 4096


@dataclass(frozen=True, slots=True)
class Call:
    """One record of the log."""

    op: int
    fd: int
    flags: int
    offset: int
    path: str
    path2: str
    data: bytes

    @property
    def counts(self) -> bool:
        """Whether the layer counts it as a place where to kill or fail."""
        return self.op not in (CLOSE, MARK, FAILED) and not (self.op == OPEN and not self.flags & 3)


def read_log(data: bytes) -> list[Call]:
    """Every whole record."""
    calls, at = [], 0
    while at + _HEAD.size <= len(data):
        magic, op, fd, flags, offset, size, first, second = _HEAD.unpack_from(data, at)
        assert magic == _MAGIC, f"the log is broken at byte {at}"
        at += _HEAD.size
        if at + first + second + size > len(data):
            break
        path, path2 = data[at : at + first].decode(), data[at + first : at + first + second].decode()
        at += first + second
        calls.append(Call(op, fd, flags, offset, path, path2, data[at : at + size]))
        at += size
    return calls


def marks(calls: list[Call]) -> list[str]:
    """What the driver said, in order."""
    return [call.data.decode() for call in calls if call.op == MARK]


@dataclass(eq=False, slots=True)
class File:
    """`durable` is what the last fsync left; `pending` are (offset, data), or (None, size) for a truncation."""

    durable: bytes = b""
    pending: list[tuple[int | None, bytes | int]] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Folder:
    """`entries` as the processes see them, `durable` as the last fsync of the folder left them."""

    entries: dict[str, "File | Folder"] = field(default_factory=dict)
    durable: dict[str, "File | Folder"] = field(default_factory=dict)


Node = File | Folder
Change = list[tuple[Folder, str, Node | None]]
Tree = dict[str, bytes | None]
"""path below the root → content, None for a folder"""


def tree_of(root: Path) -> Tree:
    """What lies below a folder now."""
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes() for path in sorted(root.rglob("*"))
    }


def put_tree(root: Path, tree: Tree) -> None:
    """Make a folder hold this and nothing else."""
    if root.exists():
        for path in sorted(root.rglob("*"), reverse=True):
            if str(path.relative_to(root)) not in tree or path.is_dir() != (tree[str(path.relative_to(root))] is None):
                path.rmdir() if path.is_dir() else path.unlink()
    root.mkdir(parents=True, exist_ok=True)
    for name, data in sorted(tree.items()):
        path = root / name
        if data is None:
            path.mkdir(mode=0o700, exist_ok=True)
        else:
            path.write_bytes(data)
            path.chmod(0o600)


class Disk:
    """The disk below `root`, which held `tree` durably when the recording began."""

    def __init__(self, root: Path, tree: Tree) -> None:
        self._prefix = str(root)
        self._top = Folder()
        self._open: dict[int, Node] = {}
        self._names: list[Change] = []  # not yet durable, in order
        for name, data in sorted(tree.items()):
            folder, last = self._at(f"{self._prefix}/{name}")
            node: Node = Folder() if data is None else File(data)
            folder.entries[last] = folder.durable[last] = node

    def apply(self, call: Call) -> None:
        """What the call did."""
        if call.op == OPEN:
            if call.path == self._prefix:
                self._open[call.fd] = self._top
                return
            folder, name = self._at(call.path)
            if call.flags & 1:
                self._rename([(folder, name, File())])
            node = folder.entries[name]
            if call.flags & 2 and isinstance(node, File):
                node.pending.append((None, 0))
            self._open[call.fd] = node
        elif call.op == CLOSE:
            self._open.pop(call.fd, None)
        elif call.op in (WRITE, TRUNCATE):
            node = self._open[call.fd]
            assert isinstance(node, File)
            node.pending.append((call.offset, call.data) if call.op == WRITE else (None, call.offset))
        elif call.op == SYNC:
            self._sync(self._open[call.fd], failed=bool(call.flags))
        elif call.op == MKDIR:
            folder, name = self._at(call.path)
            self._rename([(folder, name, Folder())])
        elif call.op in (UNLINK, RMDIR):
            folder, name = self._at(call.path)
            self._rename([(folder, name, None)])
        elif call.op in (RENAME, LINK):
            (folder, name), (folder2, name2) = self._at(call.path), self._at(call.path2)
            node = folder.entries[name]
            gone: Change = [(folder, name, None)] if call.op == RENAME else []
            self._rename([*gone, (folder2, name2, node)])

    def now(self) -> Tree:
        """As the processes see it: what kill -9 leaves."""
        return self._tree(lambda _: True, _all)

    def after_power_cut(self, chance: random.Random, variant: int) -> Tree:
        """A state that the model allows. Variants 0 to 2 are the corners, from 3 on they are drawn."""
        if variant == 0:  # nothing but what was synced
            return self._tree(lambda _: False, _none)
        if variant == 1:  # names without their content
            return self._tree(lambda _: True, _none)
        if variant == 2:  # content without its names
            return self._tree(lambda _: False, _all)
        share = chance.choice((0.1, 0.5, 0.9, 1.0))
        ways: dict[int, Callable[[File], bytes]] = {}

        def content(file: File) -> bytes:
            way = ways.setdefault(id(file), chance.choice((_none, _all, _prefix, _some, _some, _torn)))
            return way(file) if way in (_none, _all) else way(file, chance)  # type: ignore[call-arg]

        return self._tree(lambda _: chance.random() < share, content)

    def pending(self) -> bool:
        """Whether a power cut now may lose anything."""
        return bool(self._names) or any(isinstance(n, File) and n.pending for n in self._nodes(self._top))

    # --- within -----------------------------------------------------------------------------------------------------

    def _at(self, path: str) -> tuple[Folder, str]:
        assert path.startswith(self._prefix + "/"), path
        *above, name = path[len(self._prefix) + 1 :].split("/")
        folder = self._top
        for part in above:
            below = folder.entries[part]
            assert isinstance(below, Folder), path
            folder = below
        return folder, name

    def _rename(self, change: Change) -> None:
        for folder, name, node in change:
            if node is None:
                folder.entries.pop(name, None)
            else:
                folder.entries[name] = node
        self._names.append(change)

    def _sync(self, node: Node, *, failed: bool) -> None:
        if isinstance(node, File):
            if not failed:
                node.durable = _all(node)
            node.pending.clear()
            return
        if failed:
            return
        # A rename brings the earlier changes of its other folder with it, or they would undo it later.
        touched, durable = {id(node)}, []
        for change in reversed(self._names):
            folders = {id(folder) for folder, _, _ in change}
            if folders & touched:
                touched |= folders
                durable.append(change)
        kept = {id(change) for change in durable}
        for change in reversed(durable):
            for folder, name, child in change:
                _put(folder.durable, name, child)
        self._names = [change for change in self._names if id(change) not in kept]

    def _tree(self, keeps: Callable[[Change], bool], content: Callable[[File], bytes]) -> Tree:
        names: dict[int, dict[str, Node]] = {}
        for change in self._names:
            if keeps(change):
                for folder, name, child in change:
                    _put(names.setdefault(id(folder), dict(folder.durable)), name, child)
        tree: Tree = {}

        def walk(folder: Folder, prefix: str) -> None:
            for name, child in names.get(id(folder), folder.durable).items():
                if isinstance(child, Folder):
                    tree[prefix + name] = None
                    walk(child, f"{prefix}{name}/")
                else:
                    tree[prefix + name] = content(child)

        walk(self._top, "")
        return tree

    def _nodes(self, folder: Folder) -> Iterator[Node]:
        for child in {*folder.entries.values(), *folder.durable.values()}:
            yield child
            if isinstance(child, Folder):
                yield from self._nodes(child)


def _put(entries: dict[str, Node], name: str, node: Node | None) -> None:
    if node is None:
        entries.pop(name, None)
    else:
        entries[name] = node


def _written(data: bytes, changes: list[tuple[int | None, bytes | int]]) -> bytes:
    if not changes:
        return data
    content = bytearray(data)
    for offset, what in changes:
        if offset is None:
            assert isinstance(what, int)
            content = content[:what] + bytes(max(0, what - len(content)))
        else:
            assert isinstance(what, bytes)
            content += bytes(max(0, offset - len(content)))
            content[offset : offset + len(what)] = what
    return bytes(content)


def _none(file: File) -> bytes:
    return file.durable


def _all(file: File) -> bytes:
    return _written(file.durable, file.pending)


def _prefix(file: File, chance: random.Random) -> bytes:
    return _written(file.durable, file.pending[: chance.randint(0, len(file.pending))])


def _some(file: File, chance: random.Random) -> bytes:
    """Any of the writes, each cut into blocks of which some are there."""
    share = chance.choice((0.2, 0.5, 0.8, 0.95))
    chosen: list[tuple[int | None, bytes | int]] = []
    for offset, what in file.pending:
        if offset is None:
            chosen += [(offset, what)] if chance.random() < share else []
        else:
            assert isinstance(what, bytes)
            chosen += [piece for piece in _pieces(offset, what, BLOCK) if chance.random() < share]
    return _written(file.durable, chosen)


def _torn(file: File, chance: random.Random) -> bytes:
    """Up to some write, of which some sectors are there."""
    if not file.pending:
        return file.durable
    last = chance.randrange(len(file.pending))
    offset, what = file.pending[last]
    torn: list[tuple[int | None, bytes | int]] = []
    if offset is not None:
        assert isinstance(what, bytes)
        torn = [piece for piece in _pieces(offset, what, SECTOR) if chance.random() < 0.5]
    return _written(file.durable, [*file.pending[:last], *torn])


def _pieces(offset: int, data: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    """Cut where the disk cuts: at multiples of `size` in the file."""
    at = 0
    while at < len(data):
        end = min(len(data), at + size - (offset + at) % size)
        yield offset + at, data[at:end]
        at = end
