"""A real issuer of tokens on this machine: keys, a discovery document, signatures."""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

AUDIENCE = "riskgrid"


class EveryAlgorithm(JWSRegistry):
    """Signs by whatever a test asks for, without the warnings that are right elsewhere."""

    max_payload_length = 1 << 20

    def get_alg(self, name):
        return self.algorithms[name]


def rsa(kid, bits=2048, **more):
    return RSAKey.generate_key(bits, {"kid": kid, **more})


def elliptic(kid, curve="P-256", **more):
    return ECKey.generate_key(curve, {"kid": kid, **more})


def edwards(kid, **more):
    return OKPKey.generate_key("Ed25519", {"kid": kid, **more})


def signed(key, claims, algorithm="ES256", **header):
    """A token; what is None is left out of its claims and header."""
    parts = {"alg": algorithm, "kid": key.kid, **header}
    return jwt.encode(
        {name: value for name, value in parts.items() if value is not None},
        {name: value for name, value in claims.items() if value is not None},
        key,
        registry=EveryAlgorithm(strict_check_header=False),
    )


class Issuer:
    """An issuer that publishes ``keys``, counts what it is asked, and can be away or say something else."""

    def __init__(self, *keys):
        self.keys, self.asked, self.status, self.body, self.headers = list(keys), [], 200, None, {}
        self.document = {}
        self.open = threading.Event()  # answers wait while it is not set
        self.open.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(outer.answer(self.path)).encode() if outer.body is None else outer.body
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # who asked may have heard enough
                    self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path):
        self.asked.append(path)
        self.open.wait(30)
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.document}
        return {"keys": [key if isinstance(key, dict) else key.as_dict(private=False) for key in self.keys]}

    def claims(self, **changed):
        now = int(time.time())
        made = {"iss": self.url, "aud": AUDIENCE, "sub": "alice", "iat": now, "nbf": now, "exp": now + 600}
        return {**made, **changed}

    def token(self, algorithm="ES256", *, key=None, header=None, **changed):
        return signed(key or self.keys[0], self.claims(**changed), algorithm, **(header or {}))

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now
