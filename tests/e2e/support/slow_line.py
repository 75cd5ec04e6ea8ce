# A line between a computer and those who call it, which can be made to carry a byte a second.
import socket
import threading

CHUNK = 1 << 18
GREETING = 8192  # bytes each way that pass at once, so that a connection begins: what follows is what is slow


class SlowLine:
    """Listens on loopback and passes everything on to `port`. While `is_slow` is set, each connection carries its first
    bytes quickly and then one a second, either way."""

    def __init__(self):
        self.is_slow = threading.Event()
        self.ended = threading.Event()
        self.to = None
        self.open = set()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections = 0
        self.slowly = 0  # bytes that were passed on slowly
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self):
        while not self.ended.is_set():
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.to), 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            self.connections += 1
            with self.lock:
                self.open.update((near, far))
            for one, other in ((near, far), (far, near)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=self._pump, args=(one, other), daemon=True)
                thread.start()

    def _pump(self, source, sink):
        passed = 0
        try:
            while not self.ended.is_set():
                crawls = self.is_slow.is_set() and passed >= GREETING
                limit = 1 if crawls else GREETING - passed if self.is_slow.is_set() else CHUNK
                data = source.recv(limit)
                if not data:
                    break
                sink.sendall(data)
                passed += len(data)
                if crawls:
                    self.slowly += len(data)
                    self.ended.wait(1)
        except OSError:
            pass
        finally:
            for one in (source, sink):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.ended.set()
        self.listener.close()
        with self.lock:
            for one in self.open:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                one.close()
