"""A door to a server on this machine through which every answer comes late."""

import socket
import threading
import time
from contextlib import contextmanager, suppress


@contextmanager
def delayed(port, seconds):
    """Yield a port of this machine whose answers from the other port come late.

    Args:
        port: The port of the server.
        seconds: How late each piece of an answer comes, in s.
    """
    door = socket.create_server(("127.0.0.1", 0))
    ends = []

    def carry(source, target, wait):
        with suppress(OSError):
            while piece := source.recv(65_536):
                time.sleep(wait)
                target.sendall(piece)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept():
        with suppress(OSError):
            while True:
                visitor, _ = door.accept()
                server = socket.create_connection(("127.0.0.1", port))
                ends.extend((visitor, server))
                for pair in ((visitor, server, 0.0), (server, visitor, seconds)):
                    threads.append(threading.Thread(target=carry, args=pair, daemon=True))
                    threads[-1].start()

    threads = [threading.Thread(target=accept, daemon=True)]
    threads[0].start()
    try:
        yield door.getsockname()[1]
    finally:
        for end in (door, *ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)
        for end in (door, *ends):
            end.close()
