"""Names that principals may have: those of keys and of tokens never meet, so neither takes over what is the other's."""

from __future__ import annotations

import re
import unicodedata

from riskgrid.errors import BadSpec, Unauthenticated
from riskgrid.principal import EVERYTHING

__all__ = ["name_of_key", "name_of_token"]

_KEY = "key:"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_LONGEST = 200


def name_of_key(name: str) -> str:
    """The principal of a key's name. BadSpec for a name that is none.

    >>> name_of_key("nightly")
    'key:nightly'
    """
    if _PLAIN.fullmatch(name) is None:
        raise BadSpec(f"a key's name is {name!r}; up to 64 letters, digits and . _ @ - are right, e.g. 'nightly-batch'")
    return _KEY + name


def name_of_token(subject: object) -> str:
    """The principal of a token's subject. Unauthenticated for one that is no name, or another's.

    >>> name_of_token("alice@bank")
    'alice@bank'
    """
    if not isinstance(subject, str) or not subject.strip() or len(subject) > _LONGEST or not subject.isprintable():
        raise Unauthenticated(f"the token's subject is no name; 1 to {_LONGEST} printable characters are right")
    if subject != subject.strip():
        raise Unauthenticated(f"the token's subject is {subject!r}; a name without blanks around it is right")
    read = unicodedata.normalize("NFKC", subject).strip().casefold()  # as somebody who reads a list takes it
    if read.startswith(_KEY) or read == EVERYTHING.name:
        raise Unauthenticated(f"the token's subject is {subject!r}, a name that no token may have")
    return subject
