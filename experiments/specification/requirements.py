"""What a specification asks of the machine that does its runs; a machine that only reads it need not have that."""

from __future__ import annotations

from experiments.documents.diagnostics import SpecificationError, problem
from experiments.specification.model import Specification
from retention import anvil
from topologies.emulated import congestion_control, host_constants


def check(specification: Specification) -> None:
    """Refuse, before anything is made, what this machine cannot do.

    Raises:
        SpecificationError: its kernel lacks the TCP congestion control, or cannot change what is to be changed.
    """
    name = specification.network.congestion_control
    if not congestion_control.obtainable(name):
        hint = f"this kernel has {', '.join(congestion_control.available())}; use one of them"
        raise SpecificationError([problem(("network", "congestion_control"), name, hint)])
    rto_max_s = specification.network.rto_max_s
    if rto_max_s != "auto" and not host_constants.rto_max_settable():
        hint = "this kernel cannot change it; use Linux 6.15 or later, or leave it out"
        raise SpecificationError([problem(("network", "rto_max_s"), rto_max_s, hint)])


def check_ledger(specification: Specification) -> None:
    """Refuse files that are to be retained, by simulation too, where no ledger is installed.

    Raises:
        RetentionError: so.
    """
    if specification.retention is not None:
        anvil.require_installed()
