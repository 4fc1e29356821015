"""Tokens of an issuer (OpenID Connect): signed by it, for this service, at this time.

Sources: RFC 7519 (JWT), RFC 8725 (their best practice), RFC 9068 (access tokens).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError, MissingClaimError
from joserfc.util import json_b64decode

from riskgrid.errors import Unauthenticated
from riskgrid.identity.issuer import SigningKeys

__all__ = ["ALGORITHMS", "LEEWAY_SECONDS", "Tokens"]

#: Signatures that are taken: none that whoever can check it could also make.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")

#: Seconds by which the issuer's clock and ours may differ.
LEEWAY_SECONDS = 30

_LONGEST = 16_384
_KINDS = ("jwt", "at+jwt")
_ASKED = "'Authorization: Bearer TOKEN' with a token of the issuer is right"


class Tokens:
    """What tokens of one issuer for one audience say.

    keys : those the issuer signs by.   clock : seconds since 1970.
    """

    def __init__(
        self, issuer: str, audience: str, keys: SigningKeys, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._audience, self._keys, self._clock = audience, keys, clock
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )

    def claims(self, text: str) -> Mapping[str, Any]:
        """The claims of a token that holds. Unauthenticated says why one does not; IssuerAway as of SigningKeys."""
        header = _header(text)
        keys = self._keys.of(header.get("kid"))
        if keys is None:
            raise Unauthenticated(f"the token names no key (kid) that its issuer has; {_ASKED}")
        try:
            claims = jwt.decode(text, keys, registry=_Registry(algorithms=ALGORITHMS)).claims
        except (JoseError, ValueError, TypeError, RecursionError):
            raise Unauthenticated(f"the token's signature is not that of its issuer; {_ASKED}") from None
        try:
            self._claims.validate(claims)
        except (JoseError, OverflowError, TypeError) as error:
            raise Unauthenticated(self._sentence(error, claims)) from None
        return claims

    def _sentence(self, error: Exception, claims: Mapping[str, Any]) -> str:
        claim = error.claim if isinstance(error, ClaimError) else ""
        if isinstance(error, MissingClaimError):
            return f"the token does not say {claim.replace(',', ', ')}; iss, aud and exp are to be there"
        if isinstance(error, ExpiredTokenError):
            return f"the token expired at {_moment(claims['exp'])}; a fresh one is right"
        if claim in ("nbf", "iat") and isinstance(claims[claim], (int, float)):
            return f"the token is valid from {_moment(claims[claim])} on, which is yet to come"
        if claim == "aud":
            return f"the token is for another audience; one for '{self._audience}' is right"
        if claim == "iss":
            return "the token is of another issuer than the one this service trusts"
        return f"the token's claim '{claim}' is none that can be; a token as its issuer made it is right"


class _Registry(jws.JWSRegistry):
    """Algorithms of ours alone. Their names were checked before, and EdDSA is taken without its warning: it is the
    older name of Ed25519, by which issuers still sign.
    """

    max_header_length = 4096
    max_payload_length = _LONGEST

    def __init__(self, algorithms: tuple[str, ...]) -> None:
        super().__init__(algorithms=algorithms, strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def _header(text: str) -> Mapping[str, Any]:
    """What a token says of itself, nothing of which is proven. Unauthenticated for what is no token that is taken."""
    if len(text) > _LONGEST:
        raise Unauthenticated(f"the token has {len(text):,} characters; at most {_LONGEST:,} are right")
    parts = text.split(".")
    try:
        header = json_b64decode(parts[0].encode("ascii"))
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or len(parts) != 3:
        raise Unauthenticated(f"the token is no JSON Web Token; {_ASKED}")
    algorithm, kind, kid = header.get("alg"), header.get("typ", "jwt"), header.get("kid")
    if not parts[2] or (isinstance(algorithm, str) and algorithm.lower() == "none"):
        raise Unauthenticated(f"the token is unsigned; {_ASKED}")
    if algorithm not in ALGORITHMS:
        raise Unauthenticated(f"the token is signed by another algorithm than {', '.join(ALGORITHMS)}; {_ASKED}")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _KINDS:
        raise Unauthenticated("the token is made for something else; its typ is to be JWT or at+jwt")
    if "crit" in header or not isinstance(kid, (str, type(None))):
        raise Unauthenticated("the token's header has what is not understood here; alg, kid and typ are")
    return header


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return "a time that no calendar has"
