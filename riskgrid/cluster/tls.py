"""Certificates of Dask's parts: who has none of ours is not talked to, in either direction."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

from riskgrid.errors import BadSpec
from riskgrid.settings import settings

__all__ = ["FILES", "make_certificates", "protocol", "security"]

#: As cert-manager and ``kubectl create secret`` name them.
FILES = ("ca.crt", "tls.crt", "tls.key")
_DAYS = 365


def protocol() -> str:
    """How this process talks to schedulers: ``tls`` where it has certificates, else ``tcp``."""
    return "tcp" if settings().tls is None else "tls"


def files() -> tuple[str, str, str] | None:
    """Paths of the authority's certificate, this process's own and its key. BadSpec where one is missing."""
    folder = settings().tls
    if folder is None:
        return None
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise BadSpec(f"RISKGRID_TLS names {folder}, which has no {missing[0]}; {', '.join(FILES)} are right")
    authority, certificate, key = (str(folder / name) for name in FILES)
    return authority, certificate, key


def security() -> Any:
    """What Dask needs to speak TLS alone; None where the settings name no certificates."""
    from distributed import Security

    found = files()
    if found is None:
        return None
    authority, certificate, key = found
    own = {
        f"tls_{role}_{part}": path
        for role in ("client", "scheduler", "worker")
        for part, path in (("cert", certificate), ("key", key))
    }
    return Security(require_encryption=True, tls_ca_file=authority, **own)


def make_certificates(folder: Path, *, days: int = _DAYS) -> list[Path]:
    """Write an authority and one certificate of it for all parts of a Dask cluster; the authority's key is not kept.

    Whoever holds the key may run code on every worker. BadSpec where there is such a file already, or without
    the package ``cryptography``.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError as error:
        raise BadSpec(
            "making certificates needs the package cryptography; pip install 'riskgrid[api]' has it"
        ) from error

    there = [name for name in FILES if (folder / name).exists()]
    if there:
        raise BadSpec(f"{folder} has a {there[0]} already; another folder is right")

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def issued(name: str, key: Any, by: Any, authority: bool) -> Any:
        now = datetime.datetime.now(datetime.UTC)
        usage = x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)
        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named("riskgrid authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
            .sign(by, hashes.SHA256())
        )

    authority_key, own_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    contents = (
        issued("riskgrid authority", authority_key, authority_key, True).public_bytes(pem),
        issued("riskgrid", own_key, authority_key, False).public_bytes(pem),
        own_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain),
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip(FILES, contents, strict=True):
        mode = 0o600 if name.endswith(".key") else 0o644
        with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
    return [folder / name for name in FILES]
