"""People who show tokens of an issuer, with what a file of rights gives them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from joserfc.jwk import ECKey

from tests.identity.issuing import AUDIENCE, elliptic, signed

__all__ = ["People"]

_ISSUER = "https://issuer.example"


@dataclass(frozen=True)
class People:
    """Those of one service.   folder : of the issuer's public keys and of the file of rights."""

    folder: Path
    key: ECKey

    @classmethod
    def begun(cls, folder: Path) -> People:
        """Nobody yet."""
        folder.mkdir()
        made = cls(folder, elliptic("one"))
        (folder / "keys.json").write_text(json.dumps({"keys": [made.key.as_dict(private=False)]}))
        return made

    @property
    def settings(self) -> Mapping[str, str]:
        """By which a service knows them."""
        return {
            "RISKGRID_OIDC_ISSUER": _ISSUER,
            "RISKGRID_OIDC_AUDIENCE": AUDIENCE,
            "RISKGRID_OIDC_JWKS": str(self.folder / "keys.json"),
            "RISKGRID_RIGHTS": str(self.folder / "rights.yaml"),
        }

    def let(self, name: str, books: str | Mapping[str, str]) -> None:
        """From now on somebody may look at these books, and nobody else at any."""
        given = books if isinstance(books, str) else [dict(books)]
        written = self.folder / "rights.new"
        written.write_text(yaml.safe_dump({"principals": {name: {"scopes": ["read"], "books": given}}}))
        written.rename(self.folder / "rights.yaml")

    def token(self, name: str) -> str:
        """What somebody shows."""
        now = int(time.time())
        claims = {"iss": _ISSUER, "aud": AUDIENCE, "sub": name, "iat": now, "nbf": now, "exp": now + 3600}
        return str(signed(self.key, claims))
