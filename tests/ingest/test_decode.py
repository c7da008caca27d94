import io

import pytest

from ingest import decode
from ingest.decode import decode as guess
from ingest.decode import read_text

GERMAN = "Die Prämie für Ihr Gebäude beträgt 1.234,50 € im Jahr – fällig am 1. März.\r\nGrüße, Müller\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_german_is_read_in_any_usual_encoding_with_its_newlines(encoding):
    text, _ = guess(GERMAN.encode(encoding))
    assert text == GERMAN


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"])
def test_the_byte_order_mark_is_no_part_of_the_text(mark):
    encoding = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"\xef\xbb\xbf": "utf-8"}[mark]
    assert guess(mark + "ab".encode(encoding))[0] == "ab"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("契約書は2025年4月1日に発効するものとします。これはテストのための文書です。", "cp932"),
        ("契約書は2025年4月1日に発効するものとします。これはテストのための文書です。", "euc_jp"),
        ("本合同自双方签字之日起生效，有效期为三年。甲方应在每月的五日前支付租金。", "gb18030"),
        ("이 계약은 2025년 4월 1일부터 효력이 발생합니다. 당사자는 서면으로 통지합니다.", "euc_kr"),
        ("Настоящий договор вступает в силу с момента его подписания обеими сторонами.", "cp1251"),
        ("Настоящий договор вступает в силу с момента его подписания обеими сторонами.", "koi8_r"),
        ("Η παρούσα σύμβαση τίθεται σε ισχύ από την ημερομηνία υπογραφής της.", "iso8859_7"),
    ],
)
def test_other_scripts_are_told_apart(text, encoding):
    assert guess(text.encode(encoding)) == (text, encoding)


@pytest.mark.parametrize("name", ["Æøå ÆØÅ og så videre på dansk", "garçon à l’école, où ça ? «oui»", "señor ¿qué?"])
def test_western_words_with_several_accents_are_windows_1252(name):
    assert guess(name.encode("cp1252")) == (name, "cp1252")


def test_a_few_broken_bytes_do_not_turn_utf_8_into_something_else():
    data = GERMAN.encode() * 5 + b"\xff" + b" end"
    text, encoding = guess(data)
    assert encoding == "utf-8"
    assert text == GERMAN * 5 + "� end"


def test_unassigned_bytes_of_windows_1252_stay_one_character_each():
    assert guess(b"caf\xe9 \x81\x9d!")[0] == "café \x81\x9d!"


def test_what_a_file_declares_is_believed_where_it_fits():
    data = "Zażółć gęślą jaźń".encode("cp1250")
    assert guess(data, "windows-1250")[0] == "Zażółć gęślą jaźń"
    assert guess("Grüße".encode(), "windows-1250")[0] == "Grüße"  # valid UTF-8 says otherwise
    assert guess(data, "no-such-encoding")[1] == "cp1252"


def test_no_bytes_are_beyond_reading():
    for seed in range(256):
        assert isinstance(guess(bytes((seed * k) % 251 + seed % 5 for k in range(100)))[0], str)


def test_a_file_longer_than_the_limit_is_cut_after_a_line(monkeypatch):
    monkeypatch.setattr(decode, "LIMIT", 25)
    text, _, note = read_text(io.BytesIO("erste Zeile\nzweite Zäile\ndritte\n".encode()))
    assert text == "erste Zeile\n"
    assert note
    assert read_text(io.BytesIO(b"short"))[2] == ""
