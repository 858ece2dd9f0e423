"""The signature of a request, as servers in use write it, and as nobody may."""

import pytest

from homeserver.errors import Unauthenticated
from homeserver.federation.transport import xmatrix
from homeserver.protocol.errors import BadSignature
from homeserver.protocol.ids import ServerName
from homeserver.protocol.signing import SigningKey

SIGNATURE = "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"
READ = (
    f'X-Matrix origin="a.example",destination="b.example:8448",key="ed25519:1",sig="{SIGNATURE}"',
    f"X-Matrix origin=a.example,destination=b.example:8448,key=ed25519:1,sig={SIGNATURE}",
    f'x-matrix  Origin = "a.example" , key="ed25519:1" ,\tsig="{SIGNATURE}", DESTINATION=b.example:8448',
    f'X-Matrix new="x, y=\\"z\\"",sig="{SIGNATURE}",key="ed25519:\\1",origin="a.example",destination="b.example:8448"',
)
REFUSED = (
    "",
    "Bearer abc",
    "X-Matrix",
    "X-Matrix origin",
    f'X-Matrix origin="a.example",key="ed25519:1",sig="{SIGNATURE}" trailing words',
    f'X-Matrix origin="a.example,key="ed25519:1",sig="{SIGNATURE}"',
    f'X-Matrix origin="a example",key="ed25519:1",sig="{SIGNATURE}"',
    f'X-Matrix origin="a.example",key="rsa:1",sig="{SIGNATURE}"',
    'X-Matrix origin="a.example",key="ed25519:1",sig=""',
    f'X-Matrix origin="a.example",origin="c.example",key="ed25519:1",sig="{SIGNATURE}"',
    'X-Matrix origin="a.example",key="ed25519:1",sig="' + "x" * 9000 + '"',
)


@pytest.mark.parametrize("header", READ)
def test_headers_are_read_as_they_are_written(header: str) -> None:
    found = xmatrix.parse(header)
    assert found == xmatrix.Credentials(ServerName("a.example"), "b.example:8448", "ed25519:1", SIGNATURE)


@pytest.mark.parametrize("header", REFUSED)
def test_other_headers_are_refused(header: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        xmatrix.parse(header)
    assert refused.value.code == "bad_signature"


def test_who_is_asked_and_who_asks() -> None:
    old = READ[0].replace(',destination="b.example:8448"', "")
    assert len(xmatrix.parse_all([READ[0], old], "b.example:8448")) == 2
    for headers in ([], [READ[0], old.replace("a.example", "c.example")]):
        with pytest.raises(Unauthenticated):
            xmatrix.parse_all(headers, "b.example:8448")
    with pytest.raises(Unauthenticated, match="another server"):
        xmatrix.parse_all([READ[0]], "b.example")


def test_a_signature_covers_method_uri_names_and_content() -> None:
    key = SigningKey.generate("1")
    call = ("PUT", "/_matrix/federation/v1/send/1?x=%20y", "a.example", "b.example", {"pdus": [], "b": 1})
    method, uri, origin, destination, content = call
    sent = xmatrix.header(key, method, uri, origin=origin, destination=destination, content=content)
    signature = xmatrix.parse(sent).signature
    key.verify_key.verify(xmatrix.signed_bytes(*call), signature)
    others = (
        ("POST", uri, origin, destination, content),
        (method, "/_matrix/federation/v1/send/1?x= y", origin, destination, content),
        (method, uri, "c.example", destination, content),
        (method, uri, origin, "c.example", content),
        (method, uri, origin, destination, {"pdus": [], "b": 2}),
        (method, uri, origin, destination, None),
    )
    for other in others:
        with pytest.raises(BadSignature):
            key.verify_key.verify(xmatrix.signed_bytes(*other), signature)


def test_the_bytes_are_those_of_the_specification() -> None:
    """Canonical JSON: names in order, no space, no content where there is no body."""
    assert xmatrix.signed_bytes("GET", "/a?b=c", "o", "d") == (
        b'{"destination":"d","method":"GET","origin":"o","uri":"/a?b=c"}'
    )
