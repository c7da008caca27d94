"""Messages inside an S/MIME signature, made by another implementation."""

import datetime as dt
import io

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from hypothesis import given
from hypothesis import strategies as st

from ingest import mail, smime
from ingest.registry import Context

INNER = b"Content-Type: text/plain; charset=utf-8\r\n\r\nThe rent is 1200 euros.\r\n"


@pytest.fixture(scope="module")
def signed() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Ann")])
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=9))
        .sign(key, hashes.SHA256())
    )
    builder = pkcs7.PKCS7SignatureBuilder().set_data(INNER).add_signer(certificate, key, hashes.SHA256())
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])


def test_the_signed_message_is_taken_out(signed: bytes) -> None:
    assert smime.signed_content(signed) == INNER


def test_a_message_signed_in_one_piece_is_read(signed: bytes) -> None:
    head = b"From: a@x.org\r\nContent-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\n\r\n"
    (document,) = mail.parse(io.BytesIO(head + signed), "a.eml", Context("a.eml"))
    assert document.text == "From: a@x.org\n\nThe rent is 1200 euros."
    assert document.note == ""


def test_pieces_of_indefinite_length_are_joined() -> None:
    pieces = b"\x24\x80\x04\x03The\x04\x05 rent\x00\x00"
    content = b"\x30\x80\x06\x01\x01\xa0\x80" + pieces + b"\x00\x00\x00\x00"
    body = b"\x30\x80\x02\x01\x01\x31\x00" + content + b"\x00\x00"
    oid = bytes.fromhex("06092a864886f70d010702")
    assert smime.signed_content(b"\x30\x80" + oid + b"\xa0\x80" + body + b"\x00\x00\x00\x00") == b"The rent"


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    assert smime.signed_content(data) is None
    assert smime.signed_content(b"\x30\x80" * 3000 + data) is None
