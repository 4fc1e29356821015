"""Names for the array types that formulas take and return."""

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]  # exactly float64, exactly the shape a docstring states
type Values = float | NDArray[np.float64]  # broadcastable to (trade, state)
type Flags = bool | NDArray[np.bool_]  # broadcastable to (trade, state)
type Mask = NDArray[np.bool_]
type Indices = NDArray[np.integer]
type Ticks = NDArray[np.int32] | NDArray[np.int64]
