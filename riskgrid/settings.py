"""Where riskgrid keeps its store and how many threads it uses: the only reader of environment variables."""

from __future__ import annotations

import difflib
import getpass
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from riskgrid.errors import InputError

__all__ = ["Settings", "Told", "WorkerRange", "settings", "told", "user"]

#: Variables that others read: the kernels, before anything is set, and the tests.
_ELSEWHERE = ("RISKGRID_BACKEND", "RISKGRID_CHROMIUM", "RISKGRID_TEST_POSTGRES")

#: Gigabytes of copies of a bucket's objects that a machine keeps.
_CACHE_GB = 20.0

#: Seconds that a request to a bucket may take, and as long again its repeats.
_S3_SECONDS = 30.0

#: Seconds that a run waits for a worker where there is none.
_PATIENCE = 60.0

#: Workers of a cluster that grows and shrinks.
_WORKERS = "0-10x4"

#: Seconds without work after which workers that can go are retired.
_IDLE = 120.0

#: Seconds in which a run is to be over, where nobody has said.
_DEADLINE = 300.0

#: Requests a second that a principal may make of one process, after a burst of twice as many.
_RATE = 200.0

#: Each variable, the setting that it says, and what it is.
_VARIABLES = (
    ("RISKGRID_HOME", "home", "folder of the embedded store"),
    ("RISKGRID_STORE", "store", "the store: a folder or s3://bucket/prefix [the home]"),
    ("RISKGRID_CATALOGUE", "catalogue", "URL of the database of runs [the store's own]"),
    ("RISKGRID_THREADS", "threads", "worker threads of a run in one process [all cores]"),
    ("RISKGRID_CACHE", "cache", "folder of the copies of a bucket's objects"),
    ("RISKGRID_CACHE_GB", "cache_gigabytes", "gigabytes of such copies"),
    ("RISKGRID_S3_ENDPOINT", "s3_endpoint", "of a bucket that is not Amazon's"),
    ("RISKGRID_S3_TIMEOUT", "s3_seconds", "seconds that a request to a bucket may take"),
    ("RISKGRID_PATIENCE", "patience", "seconds that a run waits for a worker"),
    ("RISKGRID_WORKERS", "workers", "workers of an elastic cluster: least-most x threads of each"),
    ("RISKGRID_IDLE", "idle", "seconds without work until these are retired"),
    ("RISKGRID_DEADLINE", "deadline", "seconds in which a run is to be over, for their number"),
    ("RISKGRID_TLS", "tls", "folder with ca.crt, tls.crt and tls.key of the cluster's parts"),
    ("RISKGRID_USER", "principal", "who asks on the command line, for the audit"),
    ("RISKGRID_OIDC_ISSUER", "oidc_issuer", "issuer of the tokens that a service takes"),
    ("RISKGRID_OIDC_AUDIENCE", "oidc_audience", "for whom they are made"),
    ("RISKGRID_OIDC_JWKS", "oidc_jwks", "URL or file of the issuer's keys [asked of the issuer]"),
    ("RISKGRID_PRINCIPAL_CLAIM", "principal_claim", "where a token says who it is"),
    ("RISKGRID_GROUPS_CLAIM", "groups_claim", "where a token has its groups"),
    ("RISKGRID_RIGHTS", "rights", "file that says what groups and principals may"),
    ("RISKGRID_LOG", "log", "form of the log: auto, json, text"),
    ("RISKGRID_LOG_LEVEL", "log_level", "least level that is written: debug, info, warning, error"),
    ("RISKGRID_RATE", "rate", "requests a second of one principal to one process"),
)

#: What a URL says of who uses it.
_CREDENTIALS = re.compile(r"(?<=://).*@|\?.*")


@dataclass(frozen=True)
class WorkerRange:
    """How many workers there may be, and threads of each.

    >>> WorkerRange.of("0-50x4")
    WorkerRange(least=0, most=50, threads=4)
    """

    least: int
    most: int
    threads: int

    @classmethod
    def of(cls, text: str) -> Self:
        """From ``least-most`` or ``least-mostxthreads``. InputError for anything else."""
        found = re.fullmatch(r"(\d{1,6})-(\d{1,6})(?:x(\d{1,3}))?", text.strip())
        numbers = [int(part or 1) for part in found.groups()] if found else [1, 0, 0]
        if not (numbers[0] <= numbers[1] and numbers[1] > 0 and numbers[2] > 0):
            raise InputError(f"'{text}' is no range of workers; e.g. '0-50x4' is right: 0 to 50 of 4 threads each")
        return cls(*numbers)

    def __str__(self) -> str:
        return f"{self.least}-{self.most}x{self.threads}"


@dataclass(frozen=True)
class Settings:
    """``home``: folder of the embedded store.   ``store``: the store that is used by default, a folder or a URL.

    ``threads``: worker threads of a run in this process.   ``catalogue``: URL of the database of runs, None for the
    store's own.   ``cache``, ``cache_bytes``: folder of the copies of a bucket's objects, and what it may hold, about.
    ``s3_endpoint``: of a bucket that is not Amazon's.   ``s3_seconds``: what a
    request may take, and as long again its repeats.
    ``patience``: seconds that a run waits for a worker where there is none.   ``principal``: who asks, for the audit.
    ``oidc_issuer``, ``oidc_audience``: whose tokens a service takes, and made for whom.   ``oidc_jwks``: URL or file of
    the issuer's keys, None to ask it where they are.   ``principal_claim``, ``groups_claim``: where a token has its
    principal and groups.   ``rights``: file that says what groups may, None to go by their names.
    ``workers``: how many workers a cluster that grows and shrinks may have.   ``idle``: seconds without work until they
    are retired.   ``deadline``: seconds in which a run is to be over, which decides how many it wants.
    ``tls``: folder of certificates; where it is set, the parts of a cluster speak TLS alone.
    ``log``, ``log_level``: form of the log lines and the least level that is written.   ``rate``: requests a second
    that a principal may make of one process.
    """

    home: Path
    threads: int
    store: Path | str
    catalogue: str | None = field(repr=False)  # it may have a password in it
    cache: Path
    cache_bytes: int
    s3_endpoint: str | None
    s3_seconds: float
    patience: float
    principal: str
    oidc_issuer: str | None
    oidc_audience: str | None
    oidc_jwks: str | None
    principal_claim: str
    groups_claim: str
    rights: Path | None
    workers: WorkerRange = field(default_factory=lambda: WorkerRange.of(_WORKERS))
    idle: float = _IDLE
    deadline: float = _DEADLINE
    tls: Path | None = None
    log: str = "auto"
    log_level: str = "info"
    rate: float = _RATE

    @property
    def cache_gigabytes(self) -> float:
        """What the copies may take, as it is set."""
        return self.cache_bytes / 1e9


@dataclass(frozen=True)
class Told:
    """A setting, for people. origin : where its value comes from.   value : without secrets."""

    variable: str
    value: str
    origin: str
    meaning: str


def told() -> list[Told]:
    """Every setting of this process, its value without secrets, and where that comes from; and what is set in vain."""
    found = settings()
    known = [*(variable for variable, _, _ in _VARIABLES), *_ELSEWHERE]
    vain = sorted(name for name in os.environ if name.startswith("RISKGRID_") and name not in known)
    shown = [
        Told(
            variable,
            _shown(getattr(found, name)),
            "environment" if os.environ.get(variable) else "default",
            meaning,
        )
        for variable, name, meaning in _VARIABLES
    ]
    return [*shown, *(Told(name, "", "environment", _vain(name, known)) for name in vain)]


def _vain(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"no setting; did you mean {near[0]}?" if near else "no setting"


def settings() -> Settings:
    """Settings of this process.

    ``RISKGRID_HOME``, else the platform's data folder; ``RISKGRID_STORE``, else the home; ``RISKGRID_CATALOGUE``;
    ``RISKGRID_THREADS``, or all cores; ``RISKGRID_CACHE``, else the platform's cache folder; ``RISKGRID_CACHE_GB``, 20;
    ``RISKGRID_S3_ENDPOINT``; ``RISKGRID_S3_TIMEOUT``, 30 seconds; ``RISKGRID_PATIENCE``, 60 seconds;
    ``RISKGRID_WORKERS``, 0-10x4; ``RISKGRID_IDLE``, 120 seconds; ``RISKGRID_DEADLINE``, 300 seconds; ``RISKGRID_TLS``;
    ``RISKGRID_USER``, else the user of this process; ``RISKGRID_OIDC_ISSUER``, ``RISKGRID_OIDC_AUDIENCE``,
    ``RISKGRID_OIDC_JWKS``; ``RISKGRID_PRINCIPAL_CLAIM``, sub; ``RISKGRID_GROUPS_CLAIM``, groups; ``RISKGRID_RIGHTS``;
    ``RISKGRID_LOG``, auto; ``RISKGRID_LOG_LEVEL``, info; ``RISKGRID_RATE``, 200 requests a second.
    InputError where a number or a range is none.
    """
    home = _folder("RISKGRID_HOME", "user_data_dir")
    threads = os.environ.get("RISKGRID_THREADS", "0")
    if not threads.isdecimal():
        raise InputError(f"RISKGRID_THREADS is {threads!r}; a count of threads is right, 0 for all cores")
    return Settings(
        home=home,
        threads=int(threads) or _usable_cores(),
        store=_place(os.environ.get("RISKGRID_STORE")) or home,
        catalogue=os.environ.get("RISKGRID_CATALOGUE") or None,
        cache=_folder("RISKGRID_CACHE", "user_cache_dir"),
        cache_bytes=int(_number("RISKGRID_CACHE_GB", _CACHE_GB, "gigabytes") * 1e9),
        s3_endpoint=os.environ.get("RISKGRID_S3_ENDPOINT") or None,
        s3_seconds=_number("RISKGRID_S3_TIMEOUT", _S3_SECONDS, "seconds"),
        patience=_number("RISKGRID_PATIENCE", _PATIENCE, "seconds"),
        principal=user(),
        oidc_issuer=os.environ.get("RISKGRID_OIDC_ISSUER") or None,
        oidc_audience=os.environ.get("RISKGRID_OIDC_AUDIENCE") or None,
        oidc_jwks=os.environ.get("RISKGRID_OIDC_JWKS") or None,
        principal_claim=os.environ.get("RISKGRID_PRINCIPAL_CLAIM") or "sub",
        groups_claim=os.environ.get("RISKGRID_GROUPS_CLAIM") or "groups",
        rights=Path(rights).expanduser() if (rights := os.environ.get("RISKGRID_RIGHTS")) else None,
        workers=WorkerRange.of(os.environ.get("RISKGRID_WORKERS") or _WORKERS),
        idle=_number("RISKGRID_IDLE", _IDLE, "seconds"),
        deadline=_number("RISKGRID_DEADLINE", _DEADLINE, "seconds"),
        tls=Path(tls).expanduser() if (tls := os.environ.get("RISKGRID_TLS")) else None,
        log=os.environ.get("RISKGRID_LOG") or "auto",
        log_level=(os.environ.get("RISKGRID_LOG_LEVEL") or "info").lower(),
        rate=_number("RISKGRID_RATE", _RATE, "requests a second"),
    )


def _shown(value: object) -> str:
    if value is None:
        return ""
    text = str(value)
    return _CREDENTIALS.sub(lambda found: "...@" if found[0].endswith("@") else "", text) if "://" in text else text


def _folder(variable: str, platform_folder: str) -> Path:
    chosen = os.environ.get(variable)
    if chosen is None:
        import platformdirs

        chosen = str(getattr(platformdirs, platform_folder)("riskgrid", appauthor=False))
    return Path(chosen).expanduser()


def user() -> str:
    """Who this process works for: ``RISKGRID_USER``, else its user."""
    return os.environ.get("RISKGRID_USER") or _user()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run as a number without a name
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def _place(chosen: str | None) -> Path | str | None:
    if not chosen or "://" in chosen:
        return chosen or None
    return Path(chosen).expanduser()


def _number(variable: str, default: float, unit: str) -> float:
    text = os.environ.get(variable) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 < number < 1e9:
        raise InputError(f"{variable} is {text!r}; a number of {unit} above 0 is right")
    return number


def _usable_cores() -> int:
    # macOS has no affinity; Linux containers often allow fewer cores than the machine has
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)
