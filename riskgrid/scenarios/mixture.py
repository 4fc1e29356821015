"""Returns as mixtures of independent components, z ~ N(0, I), by the covariance of a historical set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from riskgrid.errors import BadScenarios
from riskgrid.scenarios.component import principal_components, root_of
from riskgrid.scenarios.covariance import covariance, factor_returns
from riskgrid.terms import Values

__all__ = ["Mixture"]


@dataclass(frozen=True)
class Mixture:
    """What mixes returns from components: loadings (component, factor) with loadings' loadings = the covariance.

    covariance : of the returns over the horizon, (factor, factor_). Of principal components it is the whole one, of
    which the loadings hold a part.   The length of z is the Mahalanobis distance of its returns.
    """

    covariance: xr.DataArray
    loadings: Values

    @classmethod
    def of(
        cls,
        past: xr.Dataset,
        components: int | float | None = None,
        *,
        horizon: int = 1,
        decay: float | None = None,
    ) -> Mixture:
        """From a historical set.

        components : None for the whole covariance, else as in
        :func:`riskgrid.scenarios.component.principal_components`.   horizon : days, which the covariance of one day is
        multiplied by.   decay : as in :func:`riskgrid.scenarios.covariance.covariance`.   BadScenarios.

        >>> from riskgrid import sample
        >>> made = Mixture.of(sample.scenarios(count=20))
        >>> bool(np.allclose(made.loadings.T @ made.loadings, made.covariance))
        True
        """
        name, count = past.attrs.get("name", ""), past.sizes.get("scenario", 0)
        if count < 2:
            many = "1 scenario, which says" if count == 1 else "no scenarios, which say"
            raise BadScenarios(
                f"scenario set '{name}' has {many} no covariance; a historical set of 2 or more is right"
            )
        found = covariance(past, decay=decay)
        if not found.size:
            raise BadScenarios(f"scenario set '{name}' moves no factor; a historical set that does is right")
        every = components is None
        loadings = root_of(found) if every else principal_components(found, components)["loadings"].values
        return cls(found.copy(data=found.values * float(horizon)), loadings * np.sqrt(float(horizon)))

    @property
    def sigmas(self) -> Values:
        """Standard deviation of each factor's return, (factor,)."""
        return np.asarray(np.sqrt(np.diagonal(self.covariance.values)))

    def returns(self, places: Values, labels: Sequence[str]) -> xr.DataArray:
        """Returns (scenario, factor) at places (scenario, component), with the coordinate ``returns`` (factor)."""
        coords = {"scenario": list(labels), "factor": self.covariance["factor"].values}
        # einsum and not a product of matrices: BLAS rounds differently on another number of threads
        values = np.einsum("sk,kf->sf", places, self.loadings)
        made = xr.DataArray(values, coords, ("scenario", "factor"))
        return made.assign_coords(returns=("factor", self.covariance["returns"].values))

    def places(self, past: xr.Dataset) -> Values:
        """The places (scenario, component) of historical scenarios, or of what is nearest to them; to six decimals."""
        returns = factor_returns(past).sel(factor=self.covariance["factor"].values).values
        found = np.linalg.lstsq((self.loadings / self.sigmas).T, (returns / self.sigmas).T, rcond=None)[0].T
        # the bits of LAPACK depend on threads; what is searched from here shall not
        return np.asarray(np.round(found, 6))
