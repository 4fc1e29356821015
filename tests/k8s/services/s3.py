"""The S3 protocol on port 9000, in memory, with the bucket 'riskgrid'."""

import signal
import threading
import urllib.request

from moto.server import ThreadedMotoServer


def main() -> None:
    """Serve until SIGTERM."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    server = ThreadedMotoServer(ip_address="0.0.0.0", port=9000, verbose=False)
    server.start()
    urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:9000/riskgrid", method="PUT")).close()
    ended.wait()
    server.stop()


if __name__ == "__main__":
    main()
