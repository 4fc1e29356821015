"""Standardised draws, the same for the same seed: Philox or Sobol uniforms through the normal quantile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.formulas import norm_ppf
from riskgrid.terms import Values

__all__ = ["MODELS", "RANDOM", "Sampling", "whole_number"]

MODELS = ("gaussian", "student_t")


def whole_number(option: str, value: Any, least: int = 1) -> int:
    """The number as an int.  BadScenarios unless it is whole and at least ``least``.

    >>> whole_number("count", 5)
    5
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise BadScenarios(f"{option} is {value!r}; a whole number of at least {least} is right")
    return int(value)


@dataclass(frozen=True)
class Sampling:
    """How to draw: ``count`` rows in ``replicates`` independent batches of equal size, one after the other.

    random : ``philox`` or ``sobol``.   antithetic : rows 2i and 2i + 1 are a draw and its mirror image.   degrees : of
    freedom of Student's t, None: normal. BadScenarios or UnknownName on what cannot be drawn.
    """

    count: int
    seed: int
    random: str = "philox"
    antithetic: bool = False
    replicates: int = 1
    degrees: float | None = None

    def __post_init__(self) -> None:
        if self.random not in RANDOM:
            raise UnknownName("random", self.random, RANDOM)
        for name, least in (("count", 1), ("seed", 0), ("replicates", 1)):
            whole_number(name, getattr(self, name), least)
        if not isinstance(self.antithetic, bool):
            raise BadScenarios(f"antithetic is {self.antithetic!r}; True or False is right")
        if self.count % self.replicates:
            raise BadScenarios(f"{self.count:,} scenarios cannot stand in {self.replicates} replicates of equal size")
        each = self.count // self.replicates
        if self.random == "sobol" and self.antithetic:
            raise BadScenarios("Sobol points are balanced as they are; random='philox' is right with antithetic=True")
        if self.random == "sobol" and each & (each - 1):
            raise BadScenarios(
                f"{each:,} Sobol points are not balanced; a power of two for each replicate is right, e.g. "
                f"{1 << (each - 1).bit_length():,}"
            )
        if self.antithetic and each % 2:
            raise BadScenarios(f"antithetic scenarios come in pairs; {each:,} for each replicate is odd, even is right")
        degrees: Any = self.degrees
        if degrees is not None and not (isinstance(degrees, (int, float)) and 2 < degrees < np.inf):
            raise BadScenarios(
                f"degrees is {self.degrees!r}; Student's t has a covariance above 2 degrees of freedom, e.g. 5"
            )

    @property
    def independent(self) -> bool:
        """Whether no row tells anything of another."""
        return self.random == "philox" and not self.antithetic

    def draws(self, components: int) -> Values:
        """Draws (scenario, component) of mean 0, variance 1, uncorrelated; of t with one chi-square for all of a row.

        With Philox and one replicate a larger ``count`` begins with the rows of a smaller one.
        """
        every = range(self.replicates)
        size = self.count // self.replicates
        return np.concatenate([self._replicate(number, size, components) for number in every])

    def _replicate(self, number: int, size: int, components: int) -> Values:
        mixed = self.degrees is not None
        apart = size // 2 if self.antithetic else size
        uniform = RANDOM[self.random](self.seed, number, apart, components + mixed)
        normal = np.asarray(norm_ppf(uniform[:, :components]), dtype=np.float64)
        if self.degrees is not None:
            # both of an antithetic pair are as far out: the chi-square is not mirrored
            chi_square = 2.0 * special.gammaincinv(0.5 * self.degrees, uniform[:, components])
            normal = normal * np.sqrt((self.degrees - 2.0) / chi_square)[:, None]
        return np.stack([normal, -normal], axis=1).reshape(size, components) if self.antithetic else normal


def _philox(seed: int, number: int, size: int, dims: int) -> Values:
    stream = np.random.Philox(np.random.SeedSequence(seed, spawn_key=(number,)))
    # raw words and not Generator.normal: NumPy promises the words for good, and may change the normals
    words = stream.random_raw(size * dims).reshape(size, dims)
    return (np.right_shift(words, np.uint64(12)) + 0.5) * 2.0**-52


def _sobol(seed: int, number: int, size: int, dims: int) -> Values:
    from scipy.stats import qmc  # half a second to import

    if dims > qmc.Sobol.MAXDIM:
        raise BadScenarios(f"Sobol points have up to {qmc.Sobol.MAXDIM} dims, {dims} are asked for; take components")
    source = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(number,))))
    points = qmc.Sobol(dims, scramble=True, bits=_BITS, rng=source).random(size)
    return np.asarray(points + 0.5 * 2.0**-_BITS)  # the middle of the cell: zero has no quantile


_BITS = 30

#: Sources of uniforms in (0, 1): (seed, replicate, rows, dims) -> (row, dim).
RANDOM: dict[str, Callable[[int, int, int, int], Values]] = {"philox": _philox, "sobol": _sobol}
