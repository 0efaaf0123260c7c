"""The ledger of a run that retains files: a real one in the run's folder, or what can be said of one beforehand."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.documents import nofollow
from experiments.specification.model import Specification
from retention import anvil
from retention.errors import RetentionError
from retention.modelled_chain import ModelledChain
from retention.timeline import Chain

if TYPE_CHECKING:
    from retention.anvil_chain import AnvilChain


@contextlib.contextmanager
def opened(specification: Specification, folder: Path | None, epoch_s: int) -> Iterator[Chain | None]:
    """The ledger of a run; None where nothing is retained.

    Args:
        specification: of the run.
        folder: of the ledger, which goes if an earlier attempt has left one; None for a model of a ledger.
        epoch_s: seconds since the epoch at which the run started.

    Raises:
        RetentionError: there is no ledger on this machine, or it does not start.
    """
    wanted = specification.retention
    if wanted is None:
        yield None
    elif folder is None:
        yield ModelledChain(wanted.terms)
    else:
        from retention.anvil_chain import AnvilChain

        if folder.exists():
            shutil.rmtree(folder)
        nofollow.make_new_folder(folder)
        with _held(folder) as held, AnvilChain(held, wanted.terms, epoch_s) as chain:
            yield chain


@contextlib.contextmanager
def reopened(folder: Path) -> Iterator[AnvilChain]:
    """The ledger that a run has left in a folder.

    Raises:
        RetentionError: it has left none, or a damaged one, or there is no ledger on this machine.
    """
    anvil.require_installed()
    from retention.anvil_chain import AnvilChain

    if not folder.is_dir():
        raise RetentionError(f"{folder}: no ledger there; give a run that retained files")
    with contextlib.ExitStack() as stack:
        try:
            chain = stack.enter_context(AnvilChain.opened(stack.enter_context(_held(folder))))
        except RetentionError as error:
            raise RetentionError(f"{folder}: {error}") from error
        yield chain


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[Path]:
    """A path of a folder that stays that of this one, whatever is put into its place."""
    with nofollow.folder(folder) as descriptor:
        yield Path(f"/proc/{os.getpid()}/fd/{descriptor}")
