"""What to do about a file that could not be read, or not wholly: one table, from the reason of its state to advice.

A reason is what a parser, the supervisor of the parsers or the pipeline wrote. tests/engine/test_advice.py collects
every reason from their source and holds it against this table, so that none is left without advice.
"""

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Advice:
    """One row: files whose reason matches stand in one group."""

    key: str
    pattern: str
    """a regular expression, searched for in the reason; the first row that matches counts"""
    title: str
    """what is the matter, as people would say it"""
    what: str
    """what to do about it, in whole sentences"""
    again: bool = True
    """whether reading it again, just so, may help"""


# fmt: off
ADVICE: tuple[Advice, ...] = (
    Advice("reader", r"default reader|stand behind an element",
           "Another reader reads more of it",
           "Readers differ: what one leaves out or cannot read, another may read. `strongroom reader` (or Settings,"
           " under Readers) says which one reads this format. Choose the other there, and the file is read again; what"
           " was read of it can be found already.", again=False),
    Advice("password", r"needs a password|is encrypted with|readable with a key",
           "Locked with a password or key",
           "Open it with its own program, remove the password or save a copy without one, and put that into a watched"
           " folder: it is read by itself. Your mail program can save an encrypted message decrypted. Strongroom never"
           " asks for other passwords.", again=False),
    Advice("drm", r"locked by its seller",
           "Locked by its seller",
           "The seller's copy protection keeps every other program out. Ask the seller for a copy without it.",
           again=False),
    Advice("queue", r"waiting to be read",
           "Pictures still to be read",
           "Pictures and scanned pages are read last of all, when everything else is done. Nothing is to be done.",
           again=False),
    Advice("unclear", r"their text could not be read",
           "Pictures whose text could not be read",
           "Look at the picture: is there text in it, upright and sharp? Scan it anew, straight, with 300 dots an inch"
           " and good light, and save it as PDF or JPEG in its place."),
    Advice("pictures", r"\bocr\b|are pictures|is a picture",
           "Pictures and scans",
           "There is no text in it, only a picture of text. The extra `ocr` reads such pages on this machine:"
           " `make install EXTRAS=ocr` in Strongroom's folder, then start it anew. They are read by themselves.",
           again=False),
    Advice("cloud", r"only in the cloud",
           "Only in the cloud",
           "What lies here is a placeholder. Download it (in the file manager: “keep on this device” or “make available"
           " offline”), and it is read by itself. Strongroom fetches nothing.", again=False),
    Advice("permission", r"cannot be (opened|read): (permission|operation not permitted)",
           "No permission to read it",
           "It belongs to another user, or its permissions keep you out. Give yourself the right to read it"
           " (`chmod u+r` on the file), then press “Read again”."),
    Advice("disk", r"cannot be (opened|read): |cannot be (listed|looked at)",
           "The disk did not give it out",
           "The system answered with the error that stands beside it. Is the drive still there, is the file still being"
           " written, does it open in another program? Then press “Read again”."),
    Advice("archive", r"an archive",
           "Archives",
           "Unpack it into a watched folder; what was in it is read then.", again=False),
    Advice("outlook", r"Outlook data file",
           "Outlook's own data files",
           "Export the mail from Outlook (or with a tool such as readpst) as mbox or .eml into a watched folder.",
           again=False),
    Advice("old", r"written by (Word|PowerPoint) 95 or older",
           "From a program of before 1997",
           "Open it in LibreOffice and save it as .docx, .pptx or PDF beside the old one.", again=False),
    Advice("large", r"too large|larger than|too much for its reader|ran out of memory|want of memory|took longer than|"
                    r"held more than|only the first|lies? deeper|too deep|too much to",
           "Too large, in whole or in part",
           "It is more than a reader is allowed to take (memory, time, or how deep things lie in each other). Split it:"
           " a mailbox by years, a workbook by sheets, a PDF by chapters; save what is deep inside on its own. What was"
           " read of it can be found already."),
    Advice("empty", r"^(.*: )?empty\b|holds no text|nothing readable|pages are blank|no message in|white space",
           "Nothing in it",
           "It holds no words. If you see some when you open it, they are a picture or were never saved: save it anew,"
           " or as a PDF."),
    Advice("elsewhere", r"kept elsewhere|in files of their own",
           "A part of it lies elsewhere",
           "The message only points to its attachment. Download the whole message in your mail program (in Apple Mail:"
           " Message › Download attachments); it is read again by itself.", again=False),
    Advice("hidden", r"characters that (the message|it) hides|hidden until a script",
           "It hides words from its reader",
           "It was read, but for words that nobody sees who opens it: a habit of advertising and of fraud, or what a"
           " script would show. The document's own page shows them, as hidden. Nothing is to be done.", again=False),
    Advice("purged", r"purged",
           "Parts of it were purged",
           "You purged something in this file. `strongroom purge --lift FILE` allows it again.", again=False),
    Advice("format", r"no parser for|no known format|is not read\b|not a regular file|no pages to be",
           "Formats that are not read",
           "Read are: mail (.eml, mbox, .emlx, .msg), PDF, Word, Excel, PowerPoint, OpenDocument, RTF, EPUB, web pages,"
           " text, Markdown, CSV, OFX and QIF; with the extra `ocr` also pictures (JPEG, PNG, TIFF). Save or print it"
           " as PDF, or export it as text, into a watched folder.",
           again=False),
    Advice("crashed", r"crashed|was killed|stopped on an error|ended early|closed its output|system call|output was"
                      r" (not valid|too large)|starts the parsers|lock could not be put|an error in Strongroom|"
                      r"changed while|no longer in it",
           "Reading it went wrong",
           "Its reader ended before it was through; the other files were not affected. Press “Read again”. If it"
           " happens again, the file is damaged or beyond our reader: save it anew with its own program, or as PDF."),
    Advice("damaged", r"damaged|cannot be read|not an? |it says: |without its|unknown (method|key)|broken|does not"
                      r" begin",
           "Damaged",
           "The file is not whole: a download that broke off, a failing disk, or a name that says another format than"
           " it has. Open it with its own program; if that works, save it anew, else fetch it again or take it from a"
           " backup."),
)
# fmt: on

OTHER = Advice(
    "other",
    "",
    "For another reason",
    "The reason stands beside it. Open the file with its own program and save it anew, or as PDF, into a watched"
    " folder.",
)


@lru_cache(maxsize=4096)
def advice_for(reason: str) -> Advice:
    """The row for a reason. One that names several things gets the row of the first of them that has one."""
    for said in reason.split("; "):
        for each in ADVICE:
            if re.search(each.pattern, said):
                return each
    return OTHER
