"""The loop of the annealer compiled by numba, which has to be there."""

from __future__ import annotations

from pathlib import Path

from placement.compiling import compiler
from placement.cost import total_cost
from placement.search import moves

_compiled = compiler(Path(__file__).parents[1], nogil=True)
_steps = (total_cost, moves.leave, moves.join, moves.shift)

run = _compiled(moves.loop(**{step.__name__: _compiled(step) for step in _steps}))
"""As `moves.run_moves`."""
