"""From bytes to text: the encoding guessed, newlines kept, the byte order mark left out.

No library: a mark decides; valid UTF-8 is UTF-8 (other encodings almost never look like it by accident); zeros in
every other byte are UTF-16; bytes above 127 that stand alone among letters are Windows-1252, in runs they are another
script.
"""

import codecs
import re
from collections import Counter
from typing import BinaryIO

LIMIT = 64 << 20  # bytes read of one file of text: the most that one document may hold
_SAMPLE = 256 << 10  # bytes looked at where a guess has to be made

_MARKS = (  # the four-byte ones first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HAN = "的一是不了人我在有他中大上和地到以就出也你生能而子那得于於下自之年月日公司合同本方五三二为為应應"
# Scripts other than Latin: encoding, a pattern of what is common in it once decoded rightly, and the least share of
# that among the characters beyond ASCII. A wrong decoding yields rare signs and capitals instead.
_SCRIPTS = (
    ("cp932", "[\\u3040-\\u30ff]", 0.25),  # kana
    ("euc_jp", "[\\u3040-\\u30ff]", 0.25),
    ("euc_kr", "[\\uac00-\\ud7a3]", 0.75),  # Chinese bytes give many of these too, by chance
    ("gb18030", f"[{_HAN}这来国说时要会可对着发这个们]", 0.12),
    ("big5", f"[{_HAN}這來國說時要會可對著發這個們]", 0.12),
    ("cp1251", "[а-яё]", 0.7),
    ("koi8_r", "[а-яё]", 0.7),
    ("iso8859_7", "[ά-ώ]", 0.7),
    ("cp1255", "[א-ת]", 0.7),
    ("cp1256", "[ابتدرسعفقكلمنهويةأإ]", 0.6),
)


def read_text(file: BinaryIO) -> tuple[str, str, str]:
    """Return a file's text, its encoding and a note, empty unless the file was longer than `LIMIT`."""
    file.seek(0)
    data = file.read(LIMIT + 1)
    if len(data) <= LIMIT:
        text, encoding = decode(data)
        return text, encoding, ""
    data = data[:LIMIT]
    # Cut after a line, so that no character is halved (UTF-16's line feed is not found by its one byte: cut evenly).
    end = data.rfind(b"\n") + 1 if b"\x00" not in data[:1000] else LIMIT
    text, encoding = decode(data[: end or LIMIT])
    return text, encoding, f"only its first {LIMIT >> 20} MiB are read"


def decode(data: bytes, declared: str = "") -> tuple[str, str]:
    """Return the text and the encoding's name. Never fails: a byte that fits nowhere becomes U+FFFD.

    `declared` is what the file says itself (a header, a meta element) and is believed if it fits the bytes and is not
    contradicted by a mark or by valid UTF-8.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace"), encoding
    wide = _wide(data[:_SAMPLE])
    if wide:
        return data.decode(wide, "replace"), wide
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        pass
    if declared:
        try:
            # As browsers do (WHATWG, Encoding): what is called Latin-1 or ASCII is Windows-1252.
            name = codecs.lookup(declared).name
            if name not in ("ascii", "iso8859-1", "utf-8", "cp1252"):
                return data.decode(name), name
        except (LookupError, UnicodeDecodeError):
            pass
    if _nearly_utf8(data[:_SAMPLE]):
        return data.decode("utf-8", "replace"), "utf-8"
    guessed = _script(data[:_SAMPLE])
    if guessed:
        return data.decode(guessed, "replace"), guessed
    return _windows(data), "cp1252"


def _wide(sample: bytes) -> str:
    """Return UTF-16's byte order if every other byte is mostly zero, as in European text without a mark."""
    half = len(sample) // 2
    if half < 2 or b"\x00" not in sample:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.6 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.6 * half and odd < 0.05 * half else ""


def _nearly_utf8(sample: bytes) -> bool:
    """Tell UTF-8 with a few broken bytes: at least ten right sequences for one wrong."""
    text = sample.decode("utf-8", "replace")
    wrong = text.count("�")
    right = sum(each > "\x7f" for each in text) - wrong
    return right >= 10 * wrong


def _script(sample: bytes) -> str:
    """Return the encoding of a script other than Latin, or empty."""
    beyond = sum(map(len, runs := re.findall(rb"[\x80-\xff]+", sample)))
    # In Latin script a letter beyond ASCII has ASCII letters around it. Double-byte text has ASCII second bytes,
    # so that runs may be short, but there is much of it.
    if beyond < 4 or (beyond < 0.3 * len(sample) and sum(len(run) > 2 for run in runs) < 0.5 * len(runs)):
        return ""
    best, found = 1.0, ""
    for encoding, usual, least in _SCRIPTS:
        text = sample.decode(encoding, "replace")
        letters = Counter(each for each in text if each > "\x7f")
        total = letters.total()
        if not total or letters["�"] > 0.01 * total + 1:
            continue
        share = sum(count for each, count in letters.items() if re.match(usual, each)) / total
        if share / least > best:
            best, found = share / least, encoding
    return found


def _windows(data: bytes) -> str:
    """Return Windows-1252 text; its five unassigned bytes become the control characters of the same number."""
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return "".join(
            piece.decode("cp1252") if each % 2 == 0 else piece.decode("latin-1")
            for each, piece in enumerate(re.split(rb"([\x81\x8d\x8f\x90\x9d])", data))
        )
