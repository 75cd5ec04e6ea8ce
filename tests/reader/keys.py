# From 24 words to keys; envelopes that are signed and boxes that are sealed (docs/formats/README.md).
import hashlib
import hmac
import pathlib

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
import nacl.bindings
import nacl.exceptions

from hashes import derive_key
from wire import Damaged, Message, need

WORD_LIST = pathlib.Path("/usr/lib/python3/dist-packages/mnemonic/wordlist/english.txt")
WORD_LIST_SHA256 = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
SIGNED = Message(body=(2, "bytes"), signer=(3, "id"), signature=(4, "bytes"))


def root_secret(words):
    """The 32 bytes of entropy of 24 words."""
    text = WORD_LIST.read_bytes()
    need(hashlib.sha256(text).hexdigest() == WORD_LIST_SHA256, f"{WORD_LIST} is not the word list")
    numbers = {word: number for number, word in enumerate(text.decode().split())}
    need(len(words) == 24, f"the phrase has {len(words)} words, not 24")
    for word in words:
        need(word in numbers, "a word of the phrase is not in the word list")
    bits = 0
    for word in words:
        bits = bits << 11 | numbers[word]
    secret = (bits >> 8).to_bytes(32, "big")
    need(hashlib.sha256(secret).digest()[0] == bits & 0xFF, "the phrase's checksum is wrong")
    return secret


class Identity:
    """What the phrase alone gives."""

    def __init__(self, words):
        root = root_secret(words)
        signing = ed25519.Ed25519PrivateKey.from_private_bytes(derive_key("mhp 1 identity key", root))
        self.public = raw(signing.public_key())
        self.recovery_secret = derive_key("mhp 1 recovery key", root)
        self.recovery_public = raw(x25519.X25519PrivateKey.from_private_bytes(self.recovery_secret).public_key())
        self.vault = derive_key("mhp 1 vault id", self.public)


def raw(public_key):
    return public_key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def open_signed(data, context, message, limit):
    """(signer, body as an object, body's bytes) of an envelope whose signature is right. Whether the signer may sign is
    the caller's question."""
    envelope = SIGNED.parse(data, limit)
    need(len(envelope.signature) == 64, "a signature has not 64 bytes")
    try:
        key = ed25519.Ed25519PublicKey.from_public_bytes(envelope.signer)
        key.verify(envelope.signature, context.encode() + b"\0" + envelope.body)
    except (InvalidSignature, ValueError):
        raise Damaged(f"a wrong signature ({context})") from None
    return envelope.signer, message.parse(envelope.body, limit), envelope.body


def by_trial(candidates, what, use):
    """The result of `use` with the first of these that it takes."""
    problem = Damaged(f"no key for {what}")
    for key in candidates:
        try:
            result = use(key)
        except Damaged as found:
            problem = found
            continue
        candidates.remove(key)
        candidates.insert(0, key)
        return result
    raise problem


def open_box(key, data, *context):
    """What is sealed under a shared key."""
    return open_xchacha(key, data[:24], data[24:], b"".join(context))


def open_box_to(secret, data, *context):
    """What is sealed to the public key of an X25519 secret."""
    need(len(data) >= 48, "a box is too short")
    private = x25519.X25519PrivateKey.from_private_bytes(secret)
    try:
        shared = private.exchange(x25519.X25519PublicKey.from_public_bytes(data[:32]))
    except ValueError:  # all zeros
        raise Damaged("a box to no key") from None
    context = b"".join(context)
    key = hkdf_sha256(shared, data[:32] + raw(private.public_key()), context, 32)
    return open_xchacha(key, bytes(24), data[32:], context)


def open_xchacha(key, nonce, data, context):
    need(len(nonce) == 24 and len(data) >= 16, "a box is too short")
    try:
        return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(data, context, nonce, key)
    except nacl.exceptions.CryptoError:
        raise Damaged("a box does not open") from None


def open_gcm(key, nonce, data, context):
    try:
        return AESGCM(key).decrypt(nonce, data, context)
    except InvalidTag:
        raise Damaged("a frame does not open") from None


def hkdf_sha256(ikm, salt, info, size):
    """RFC 5869."""
    prk = hmac.digest(salt, ikm, "sha256")
    out, block, number = b"", b"", 1
    while len(out) < size:
        block = hmac.digest(prk, block + info + bytes([number]), "sha256")
        out, number = out + block, number + 1
    return out[:size]
