# Computers that keep to no rules: TLS by Python's ssl, HTTP/2 by frames of a test's own making.
import contextlib
import datetime
import pathlib
import socket
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def header(name, value):
    """Literal, not indexed (RFC 7541, 6.2.2)."""
    out = b"\0"
    for text in (name, value):
        raw = text.encode()
        out += bytes([len(raw)]) if len(raw) < 127 else b"\x7f" + varint(len(raw) - 127)
        out += raw
    return out


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


def request(method, path, protocol="1"):
    fields = {":method": method, ":scheme": "https", ":path": path, ":authority": "x", "mhp-protocol": protocol}
    return b"".join(header(name, value) for name, value in fields.items())


def greeting():
    return PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, 1, 0)


def frames_in(data):
    """kind, flags, stream and payload of each whole frame."""
    out, at = [], 0
    while at + 9 <= len(data):
        size = int.from_bytes(data[at:at + 3], "big")
        if at + 9 + size > len(data):
            break
        out.append((data[at + 3], data[at + 4], int.from_bytes(data[at + 5:at + 9], "big"), data[at + 9:at + 9 + size]))
        at += 9 + size
    return out


def new_key(kind="ed25519"):
    makers = {"ed25519": ed25519.Ed25519PrivateKey.generate, "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
              "rsa": lambda: rsa.generate_private_key(65537, 2048)}
    return makers[kind]()


def key_of(state):
    """The key of a computer, out of its state folder (docs/formats/state.md)."""
    content = (pathlib.Path(state) / "computer").read_bytes()
    at = content.index(b"\x12\x20") + 2  # field 2, 32 bytes: the seed
    return ed25519.Ed25519PrivateKey.from_private_bytes(content[at:at + 32])


def identity(folder, name, key, signer=None):
    """A file with the key and a certificate, of itself or by another."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime(2020, 1, 1)
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
            .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=36500)))
    by = signer or key
    algorithm = None if isinstance(by, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    path = folder / f"{name}.pem"
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption()) +
                     made.sign(by, algorithm).public_bytes(serialization.Encoding.PEM))
    return path


def secured(port, pem=None, alpn="h2", limit_s=20):
    """A TLS connection; the caller's handshake is over, the other end may refuse it still."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if alpn:
        context.set_alpn_protocols([alpn])
    if pem:
        context.load_cert_chain(pem)
    plain = socket.create_connection(("127.0.0.1", port), limit_s)
    try:
        return context.wrap_socket(plain)
    except OSError:
        plain.close()
        raise


def hear(connection, limit_s=20, until=None):
    """What comes until the other end closes, or `until(frames)` holds. Bytes, and whether it was closed."""
    connection.settimeout(limit_s)
    data = b""
    while not (until and until(frames_in(data))):
        try:
            more = connection.recv(65536)
        except TimeoutError:
            return data, False
        except OSError:
            return data, True
        if not more:
            return data, True
        data += more
    return data, False


def say(connection, data):
    """False where the other end has closed."""
    with contextlib.suppress(OSError):
        connection.sendall(data)
        return True
    return False
