"""Over TLS, for a line on which others could stand between."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from exchange.binary import AsyncBinaryClient, member_key, wire
from exchange.binary.client import Handshake
from exchange.binary.refusals import GatewayRefused
from exchange.core.codes import ReportKind
from exchange.core.records import REPORT_BYTES
from tests.exchange.binary.conftest import hear, kinds, opened
from tests.exchange.binary.fakes import ANNA, SECRET
from tests.exchange.binary.test_streaming import buy, has

K = ReportKind


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's and the client's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "exchange")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "both.pem").write_bytes(pem + certificate)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "both.pem")
    return server, ssl.create_default_context(cadata=certificate.decode())


async def test_a_member_trades_over_tls(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, trusting = contexts
    async with opened(ssl=server) as exchange, await exchange.connect(ssl=trusting) as client:
        await client.send(b"".join(buy(number) for number in range(1, 3001)))
        heard = await hear(client, has(K.RESTED, 3000))
        assert kinds(heard) == [K.ACCEPTED, K.RESTED] * 3000


async def test_commands_that_came_with_the_proof_are_done_too(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, trusting = contexts
    async with opened(ssl=server) as exchange:
        reader, writer = await exchange.raw(ssl=trusting)
        handshake = Handshake(ANNA, member_key(SECRET, ANNA), cancel_on_disconnect=False)
        writer.write(handshake.hello)
        writer.write(handshake.prove(await reader.readexactly(REPORT_BYTES)) + buy(1))
        welcome = await reader.readexactly(REPORT_BYTES)
        handshake.check(welcome, await reader.readexactly(handshake.directory_bytes(welcome)))
        seen = await reader.readexactly(2 * REPORT_BYTES)
        assert list(seen[::REPORT_BYTES]) == [K.ACCEPTED, K.RESTED]
        writer.close()


async def test_the_last_word_comes_over_tls_too(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, trusting = contexts
    async with opened(ssl=server) as exchange:
        with pytest.raises(GatewayRefused):
            await AsyncBinaryClient.connect("127.0.0.1", exchange.port, ANNA, bytes(32), ssl=trusting)


async def test_a_client_without_tls_gets_nowhere(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with opened(ssl=contexts[0]) as exchange:
        reader, writer = await exchange.raw()
        writer.write(wire.Hello(ANNA, 0, bytes(32)).pack())
        assert (await reader.read())[:1] != bytes([wire.Kind.CHALLENGE])
        writer.close()
