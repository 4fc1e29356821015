"""From the claims of a token to the principal it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from riskgrid.errors import Unauthenticated
from riskgrid.identity.naming import name_of_token
from riskgrid.identity.rights import named_grant
from riskgrid.identity.watching import RightsFile
from riskgrid.principal import SCOPES, Principal, included

__all__ = ["Entitling"]

#: Claims that carry a token's scopes, by the standard and as some issuers have it.
_SCOPE_CLAIMS = ("scope", "scp")


@dataclass(frozen=True)
class Entitling:
    """How claims become rights. file : of rights, None to go by the names of groups and the token's own scopes.

    Where there is a file it decides, and scopes of ours that a token carries are all that remains of them.

    >>> who = Entitling().principal({"sub": "alice", "groups": ["desk:Rates", "canteen"], "scope": "openid read"})
    >>> who.name, sorted(who.scopes), str(who.books)
    ('alice', ['read'], 'desk Rates')
    """

    file: RightsFile | None = None
    principal_claim: str = "sub"
    groups_claim: str = "groups"

    def principal(self, claims: Mapping[str, Any]) -> Principal:
        """Who a token stands for. Unauthenticated for claims that are none. What is not said is not given."""
        name = name_of_token(claims.get(self.principal_claim))
        groups = _texts(claims, self.groups_claim)
        said = frozenset(word for claim in _SCOPE_CLAIMS for text in _texts(claims, claim) for word in text.split())
        carried = said & frozenset(SCOPES)
        if self.file is None:
            return Principal(name, carried, named_grant(groups).books)
        grant = self.file.rights.grant(name, groups)
        scopes = included(grant.scopes) & included(carried) if carried else grant.scopes
        return Principal(name, scopes, grant.books)


def _texts(claims: Mapping[str, Any], claim: str) -> list[str]:
    found = claims.get(claim)
    listed = [] if found is None else [found] if isinstance(found, str) else found
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise Unauthenticated(f"the token's claim '{claim}' is neither a text nor a list of texts")
    return listed
