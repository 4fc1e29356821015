"""Who a request comes from, by its headers: a key of a service, or a token of the issuer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from riskgrid.errors import BadSpec, Unauthenticated
from riskgrid.identity.entitling import Entitling
from riskgrid.identity.issuer import SigningKeys
from riskgrid.identity.keys import BEGINNING, KnownKeys
from riskgrid.identity.tokens import Tokens
from riskgrid.identity.watching import RightsFile
from riskgrid.principal import EVERYTHING, Principal
from riskgrid.settings import Settings
from riskgrid.store import Store

__all__ = ["Authenticate", "authenticator", "development", "is_configured", "of_settings"]

#: Who a request comes from, by its headers. Unauthenticated where nobody can tell.
type Authenticate = Callable[[Mapping[str, str]], Principal]

_RIGHT = "'Authorization: Bearer TOKEN' or 'X-API-Key: KEY' is right"


def authenticator(keys: KnownKeys, tokens: Tokens | None = None, entitling: Entitling | None = None) -> Authenticate:
    """One that takes keys, and tokens where there is an issuer. A refusal is one sentence that repeats no secret."""

    def authenticate(headers: Mapping[str, str]) -> Principal:
        shown = _shown(headers)
        if shown.startswith(BEGINNING):
            return keys.principal(shown)
        if tokens is None:
            raise Unauthenticated(
                "this service takes API keys alone, which begin with 'rgk_'; 'X-API-Key: KEY' is right"
            )
        return (entitling or Entitling()).principal(tokens.claims(shown))

    return authenticate


def of_settings(store: Store, chosen: Settings) -> Authenticate:
    """The authenticator that settings describe: keys of the store, tokens where an issuer is named.

    InputError and BadSpec for settings that cannot be used, before anything is served.
    """
    known = KnownKeys(store.keys)
    if chosen.oidc_issuer is None:
        for setting, value in (
            ("RISKGRID_OIDC_AUDIENCE", chosen.oidc_audience),
            ("RISKGRID_OIDC_JWKS", chosen.oidc_jwks),
            ("RISKGRID_RIGHTS", chosen.rights),
        ):
            if value is not None:
                raise BadSpec(
                    f"{setting} is set and RISKGRID_OIDC_ISSUER is not; the issuer of tokens is to be named, too"
                )
        return authenticator(known)
    if chosen.oidc_audience is None:
        raise BadSpec(
            "RISKGRID_OIDC_ISSUER is set and RISKGRID_OIDC_AUDIENCE is not; without the audience that tokens are made "
            "for, those of any other service of the issuer would do"
        )
    keys = SigningKeys(chosen.oidc_issuer, chosen.oidc_jwks)
    file = None if chosen.rights is None else RightsFile(chosen.rights)
    entitling = Entitling(file, chosen.principal_claim, chosen.groups_claim)
    return authenticator(known, Tokens(chosen.oidc_issuer, chosen.oidc_audience, keys), entitling)


def is_configured(store: Store, chosen: Settings) -> bool:
    """Whether there is anything by which somebody could be recognised: an issuer, or a key that is valid."""
    return chosen.oidc_issuer is not None or store.keys.any_valid()


def development() -> Principal:
    """Who asks where nobody is asked who he is: development mode, on one's own machine."""
    return EVERYTHING


def _shown(headers: Mapping[str, str]) -> str:
    """The one key or token that is shown. A header may come twice, as two proxies would read it differently."""
    listed = [(name.lower(), value) for name, value in headers.items()]
    bearers = [value for name, value in listed if name == "authorization"]
    keys = [value for name, value in listed if name == "x-api-key"]
    if not bearers and not keys:
        raise Unauthenticated(f"nobody says who asks; {_RIGHT}")
    if len(bearers) + len(keys) > 1:
        raise Unauthenticated(f"more than one key or token is shown; one of {_RIGHT}")
    if keys:
        if not keys[0].startswith(BEGINNING):
            raise Unauthenticated(
                "X-API-Key has no API key, which begins with 'rgk_'; a token goes into 'Authorization'"
            )
        return keys[0]
    scheme, _, shown = bearers[0].partition(" ")
    if scheme.lower() != "bearer" or not shown or shown != shown.strip() or " " in shown:
        raise Unauthenticated(f"Authorization is not 'Bearer' and one token; {_RIGHT}")
    return shown
