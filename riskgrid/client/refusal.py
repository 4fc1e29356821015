"""What a service refuses, as the error that the library would have raised, with the same sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from riskgrid import errors
from riskgrid.errors import RiskgridError, ServiceLost

__all__ = ["not_riskgrid", "refused"]

#: As :mod:`riskgrid.wire` has it, which needs NumPy.
_TYPE = "urn:riskgrid:error:"

#: Errors of problems that name none: of the server that riskgrid runs in, or of a gateway before it.
_OF_STATUS: Mapping[int, type[RiskgridError]] = {
    400: errors.InputError,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.InputError,
    413: errors.TooLarge,
    415: errors.InputError,
    422: errors.InputError,
    429: errors.TooMany,
    502: ServiceLost,
    503: ServiceLost,
    504: ServiceLost,
}

#: What some errors hold beside their sentence; a problem does not tell it.
_UNTOLD: Mapping[type[RiskgridError], Mapping[str, Any]] = {
    errors.UnknownName: {"kind": "", "name": "", "known": []},
    errors.BadRows: {"rows": ()},
    errors.TooMany: {"seconds": 1.0},
    errors.WorkerLost: {"worker": ""},
    errors.MoneyOverflow: {"what": ""},
}


def refused(status: int, headers: Mapping[str, str], body: bytes, said: str) -> RiskgridError:
    """The error of an answer that is no success.

    Beside its sentence it has ``status``, ``request_id`` and ``reasons``, every single one where there are several.
    said : who answers what, for a sentence where the answer has none.
    """
    problem = _problem(headers, body)
    if problem is None:
        kind = _OF_STATUS.get(status, ServiceLost)
        where = headers.get("location", "")
        more = f" and leads to {where}" if 300 <= status < 400 else ""
        sentence = f"{said} with {status}{more} and no word of riskgrid's; the address of a service is right"
        made = _made(kind if status in (401, 403, 413, 429) else ServiceLost, sentence)
    else:
        made = _made(_named(problem) or _OF_STATUS.get(status, RiskgridError), str(problem["detail"]))
    asked = headers.get("retry-after", "")
    if isinstance(made, errors.TooMany) and asked.isdecimal():
        made.seconds = float(asked)
    reasons = list(map(str, (problem or {}).get("errors", [])))
    made.__dict__ |= {"status": status, "request_id": headers.get("x-request-id"), "reasons": reasons}
    return made


def not_riskgrid(sentence: str) -> ServiceLost:
    """The error of an answer that riskgrid never gives."""
    return ServiceLost(f"{sentence}; the address of a riskgrid service is right")


def _made(kind: type[RiskgridError], sentence: str) -> RiskgridError:
    # the constructors of some put the sentence together, here it is there already
    made = kind.__new__(kind)
    Exception.__init__(made, sentence)
    made.__dict__ |= _UNTOLD.get(kind, {})
    return made


def _named(problem: Mapping[str, Any]) -> type[RiskgridError] | None:
    kind = getattr(errors, str(problem.get("type", "")).removeprefix(_TYPE), None)
    return kind if isinstance(kind, type) and issubclass(kind, RiskgridError) else None


def _problem(headers: Mapping[str, str], body: bytes) -> Mapping[str, Any] | None:
    if not headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        made = json.loads(body)
    except ValueError:
        return None
    return made if isinstance(made, dict) and "detail" in made else None
