#!/usr/bin/env python3
# One bare TLS 1.3 stream on loopback: a process that sends, one that receives, in large pieces and with nothing else.
#
# As a script it is the receiver: bare_tls.py FOLDER PORT BYTES. It says "ready" when it listens.
import os
import socket
import ssl
import subprocess
import sys
import time

PIECE_BYTES = 1 << 20


def receive(folder, port, size):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    with socket.create_server(("127.0.0.1", port)) as listener:
        print("ready", flush=True)
        plain, _ = listener.accept()
    buffer, left = bytearray(PIECE_BYTES), size
    with context.wrap_socket(plain, server_side=True) as stream:
        while left > 0:
            got = stream.recv_into(buffer)
            if got == 0:
                sys.exit("the sender went away")
            left -= got
        stream.sendall(b"k")


def send(folder, port, size):
    """Seconds from the first byte until the receiver has said that it has all."""
    context = ssl.create_default_context(cafile=f"{folder}/cert.pem")
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    piece = memoryview(os.urandom(PIECE_BYTES))
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1") as stream:
        began = time.monotonic()
        for at in range(0, size, PIECE_BYTES):
            stream.sendall(piece[:min(PIECE_BYTES, size - at)])
        if stream.recv(1) != b"k":
            sys.exit("the receiver has not all")
        return time.monotonic() - began


def measure(folder, port, size):
    """{"bytes_per_s", "cpu": of both ends, "wall"}; folder: with cert.pem and key.pem for 127.0.0.1."""
    before = os.times()
    receiver = subprocess.Popen([sys.executable, os.path.abspath(__file__), folder, str(port), str(size)],
                                stdout=subprocess.PIPE, text=True)
    try:
        receiver.stdout.readline()
        wall = send(folder, port, size)
        receiver.wait(20)
    finally:
        receiver.kill()
        receiver.wait()
        receiver.stdout.close()
    after = os.times()
    return {"bytes_per_s": size / wall, "wall": wall, "cpu": sum(after[:4]) - sum(before[:4])}


if __name__ == "__main__":
    receive(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
