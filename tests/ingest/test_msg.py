"""Outlook's messages: real ones, ones put together here, and damaged ones."""

import io
import struct
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import msg, registry
from ingest.registry import Context, UnreadableError
from vault.records import Document, Problem

Tree = dict[str, "bytes | Tree"]
SECTOR = 512


def compound(tree: Tree) -> bytes:
    """Return a compound file (MS-CFB) that holds `tree`: storages as dicts, streams as bytes; all in full sectors."""
    entries: list[list] = [["Root Entry", 5, 0xFFFFFFFF, b""]]

    def add(folder: Tree, parent: int) -> None:
        numbers = []
        for name, value in folder.items():
            entries.append(
                [name, 1 if isinstance(value, dict) else 2, 0xFFFFFFFF, b"" if isinstance(value, dict) else value]
            )
            numbers.append(len(entries) - 1)
        if numbers:
            entries[parent][2] = numbers[0]
        for number, following in zip(numbers, [*numbers[1:], 0xFFFFFFFF], strict=True):
            entries[number].append(following)  # a tree that leans to the right is a list
        for number, value in zip(numbers, folder.values(), strict=True):
            if isinstance(value, dict):
                add(value, number)

    add(tree, 0)
    entries[0].append(0xFFFFFFFF)
    directory_sectors = -(-len(entries) * 128 // SECTOR)
    sizes = [-(-len(each[3]) // SECTOR) for each in entries]
    count = directory_sectors + sum(sizes)
    fat_sectors = next(each for each in range(1, 110) if each * 128 >= count + each)
    fat = [0xFFFFFFFD] * fat_sectors
    starts, at = [], fat_sectors + directory_sectors
    fat += [*range(fat_sectors + 1, at), 0xFFFFFFFE]
    for size in sizes:
        starts.append(at if size else 0xFFFFFFFE)
        fat += [*range(at + 1, at + size), 0xFFFFFFFE] if size else []
        at += size
    fat += [0xFFFFFFFF] * (fat_sectors * 128 - len(fat))
    directory = b"".join(
        struct.pack(
            "<64sHBB3I36xIQ",
            name.encode("utf-16-le"), 2 * len(name) + 2, kind, 1, 0xFFFFFFFF, right, child, start, len(content),
        )
        for (name, kind, child, content, right), start in zip(entries, starts, strict=True)
    )  # fmt: skip
    header = struct.pack(
        "<8s16x5H6x4xII4xIIIII" + "I" * 109,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6,
        fat_sectors, fat_sectors, 0, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0,
        *range(fat_sectors), *[0xFFFFFFFF] * (109 - fat_sectors),
    )  # fmt: skip
    body = struct.pack(f"<{len(fat)}I", *fat) + directory.ljust(directory_sectors * SECTOR, b"\0")
    return (
        header + body + b"".join(each[3].ljust(size * SECTOR, b"\0") for each, size in zip(entries, sizes, strict=True))
    )


def storage(texts: dict[int, str], header: int, **more: "bytes | Tree") -> Tree:
    """Return the storage of a message, recipient or attachment with these texts by property id."""
    made: Tree = {f"__substg1.0_{number:04X}001F": text.encode("utf-16-le") for number, text in texts.items()}
    made["__properties_version1.0"] = bytes(header)
    return made | more


def nested(levels: int) -> Tree:
    tree = storage({0x0037: "level 0", 0x1000: "innermost"}, 24)
    for level in range(1, levels + 1):
        attached = storage({0x3001: f"level {level - 1}"}, 8) | {"__substg1.0_3701000D": tree}
        header = 32 if level == levels else 24
        tree = storage({0x0037: f"level {level}", 0x1000: f"text {level}"}, header) | {
            "__attach_version1.0_#00000000": attached
        }
    return tree


def read(data: bytes) -> list[Document | Problem]:
    return list(registry.parse(io.BytesIO(data), "a.msg", Context("a.msg")))


def test_a_message_with_a_file_and_its_recipients() -> None:
    tree = storage({0x0037: "Rent", 0x1000: "See attached.\r\n", 0x0C1A: "Ann", 0x5D01: "ann@example.org"}, 32)
    tree["__recip_version1.0_#00000000"] = storage({0x3001: "Bob", 0x39FE: "bob@example.org"}, 8)
    tree["__attach_version1.0_#00000000"] = storage({0x3707: "rent.txt"}, 8) | {"__substg1.0_37010102": b"1200 euros"}
    outer, inner = read(compound(tree))
    assert isinstance(outer, Document)
    assert isinstance(inner, Document)
    assert (
        outer.text == "From: Ann <ann@example.org>\nTo: Bob <bob@example.org>\nSubject: Rent\n"
        "Attachments: rent.txt\n\nSee attached."
    )
    assert (inner.part, inner.text, inner.parent) == ("rent.txt", "1200 euros", outer.id)


def test_attached_messages_are_read_three_levels_deep_and_the_fourth_is_named() -> None:
    found = read(compound(nested(3)))
    assert [each.title for each in found if isinstance(each, Document)] == ["level 3", "level 2", "level 1", "level 0"]
    assert found[3].part == "level 2/level 1/level 0"
    assert found[3].parent == found[2].id
    found = read(compound(nested(4)))
    assert [type(each) for each in found] == [Document] * 4 + [Problem]


def test_an_attached_message_keeps_its_id_wherever_it_is_attached() -> None:
    inner = [read(compound(nested(levels)))[-1] for levels in (1, 2, 3)]
    assert len({each.id for each in inner}) == 1


def test_real_messages_have_their_sender_subject_date_and_text(shared_data) -> None:
    folder = shared_data / "emails/msg/test-data/hsmf"
    expected = {
        "53784_succeeds.msg": (
            "HAC Annual Report", "Ashley, Carl E (PACE) <AshleyCE2@state.gov>", "2012-06-22T14:32:54-04:00"
        ),
        "ASCII_CP1251_LCID1049.msg": ("Subject автоматически Subject", None, None),
        "ASCII_UTF-8_CP1252_LCID1031.msg": ("Subject öäü Subject", None, None),
        "example_sent_regular.msg": (
            "This is a test message please ignore", "Mike Farman <mike.farman@alfresco.com>",
            "2010-01-11T16:25:07+00:00"
        ),
        "chinese-traditional.msg": (
            "Alfresco MSG format testing ( MSG 格式測試 )", "Tests Chang@FT (張毓倫)", "2011-03-29T08:52:48+00:00"
        ),
        "message_1979.msg": ("Option 2 please", "alec milton", "1999-08-16T11:23:16+00:00"),
    }  # fmt: skip
    seen = 0
    for path in sorted(folder.glob("*.msg")):
        found = read(path.read_bytes())
        assert isinstance(found[0], Document), path
        found[0].text.encode()
        if path.name in expected:
            seen += 1
            title, sender, date = expected[path.name]
            assert (found[0].title, found[0].metadata.get("sender"), found[0].metadata.get("date")) == (
                title,
                sender,
                date,
            )
    assert seen == len(expected)
    (document,) = read((folder / "ASCII_UTF-8_CP1252_LCID1031_HTML.msg").read_bytes())
    assert document.text.endswith("Body öäü Body")


@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), min_size=1, max_size=12)
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_message_is_read_or_refused_and_never_hangs(changes) -> None:
    data = bytearray(compound(nested(3)))
    for place, value in changes:
        at = int(place * len(data))
        data[at : at + len(value)] = value
    start = time.process_time()
    try:
        for each in msg.parse(io.BytesIO(bytes(data)), "a.msg", Context("a.msg")):
            assert isinstance(each, Document | Problem)
    except UnreadableError:
        pass
    assert time.process_time() - start < 10


def test_streams_that_share_their_sectors_do_not_make_much_of_little() -> None:
    shared = storage({0x3707: "a.txt"}, 8) | {"__substg1.0_37010102": b"word " * 100_000}
    tree = storage({0x0037: "bomb"}, 32) | {f"__attach_version1.0_#{each:08X}": shared for each in range(8)}
    data = bytearray(compound(tree))
    first = None
    for at in range(0, len(data) - 128, 128):
        if data[at : at + 40].decode("utf-16-le", "replace").startswith("__substg1.0_37010102"):
            first = first or data[at + 116 : at + 120]
            data[at + 116 : at + 120] = first
    assert len([each for each in read(bytes(data)) if isinstance(each, Document)]) <= 9


def test_a_directory_that_leads_back_to_itself_is_followed_once() -> None:
    data = bytearray(compound(storage({0x0037: "Loop", 0x1000: "words"}, 32)))
    start = (struct.unpack_from("<I", data, 48)[0] + 1) * SECTOR
    for entry in range(1, 4):
        struct.pack_into("<3I", data, start + 128 * entry + 68, entry, entry % 3 + 1, 1)
    (document,) = read(bytes(data))
    assert isinstance(document, Document)
    assert document.title == "Loop"


@pytest.mark.parametrize(
    "data", [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\xff" * 2000]
)
def test_what_is_no_compound_file_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableError, match="damaged"):
        list(msg.parse(io.BytesIO(data), "a.msg", Context("a.msg")))
