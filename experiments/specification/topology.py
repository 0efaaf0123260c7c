"""Which network an experiment is about: a preset, or a document of one's own."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from experiments.documents import nofollow
from experiments.documents.diagnostics import nearest
from experiments.documents.nofollow import FileError
from experiments.documents.quantities import parse_mbps
from experiments.specification.parts import OneOrMore, Shorthand
from topologies.presets import PRESETS
from topologies.topology import Topology

_SLOWEST_MBPS, _FASTEST_MBPS = 0.01, 10_000_000.0
_MOST_LINKS = 5_000


class TopologySpec(Shorthand):
    """The network: a preset of `topologies.presets.PRESETS` with its parameters and the blocking factors to compare, or
    one of the user's own.
    """

    preset: str = "thesis"
    parameters: dict[str, Any] = Field(
        default={}, description="Arguments of the preset; those in Mbit/s may be written as 1 Gbit/s"
    )
    blocking_factor: Annotated[tuple[float, ...], Field(max_length=1000), OneOrMore()] = Field(
        default=(), description="Host bandwidth of a rack over its up-link bandwidth; 1 is non-blocking"
    )
    file: str | None = Field(
        default=None,
        description="Instead of a preset: a JSON document after docs/topology.schema.json, relative to `folder`",
    )
    network: Topology | None = Field(default=None, description="The content of such a file")

    @field_validator("preset")
    @classmethod
    def _known(cls, preset: str) -> str:
        if preset not in PRESETS:
            raise ValueError(f"unknown topology; {nearest(preset, PRESETS)}")
        return preset

    @field_validator("blocking_factor")
    @classmethod
    def _positive(cls, factors: tuple[float, ...]) -> tuple[float, ...]:
        for factor in factors:
            if not (math.isfinite(factor) and factor > 0):
                raise ValueError(f"blocking factor {factor:g}; give numbers above 0, 1 is non-blocking")
        if len(set(factors)) < len(factors):
            raise ValueError("a factor is given twice; use `repeats` to measure it again")
        return factors

    @field_validator("parameters")
    @classmethod
    def _accepted(cls, parameters: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        accepted = _parameters_of(info.data["preset"]) if "preset" in info.data else parameters
        for name in parameters:
            if name == "blocking_factor":
                raise ValueError("give the blocking factor as topology.blocking_factor")
            if name not in accepted:
                raise ValueError(f"unknown parameter {name!r}; {nearest(name, accepted)}")
        return {name: _rates(value) if name.endswith("_mbps") else value for name, value in parameters.items()}

    @model_validator(mode="after")
    def _builds(self) -> TopologySpec:
        if self.network is not None:
            for name in ("blocking_factor", "parameters"):
                if getattr(self, name):
                    raise ValueError(f"{name}: the network has the rates that it comes with; remove it")
            if len(self.network.links) > _MOST_LINKS:
                raise ValueError(f"network: {len(self.network.links):,} links; give at most {_MOST_LINKS:,}")
        if self.blocking_factor and "blocking_factor" not in _parameters_of(self.preset):
            raise ValueError(f"blocking_factor: the topology {self.preset!r} has no up-links; remove it")
        for factor in {min(self.blocking_factor), max(self.blocking_factor)} if self.blocking_factor else self.factors:
            for link in self.build(factor).links:
                if not _SLOWEST_MBPS <= link.capacity_mbps <= _FASTEST_MBPS:
                    hint = (
                        f"give rates and blocking factors that leave {_SLOWEST_MBPS:g} to {_FASTEST_MBPS:,.0f} Mbit/s"
                    )
                    raise ValueError(f"link {link.id}: {link.capacity_mbps:g} Mbit/s; {hint}")
        return self

    @property
    def factors(self) -> tuple[float | None, ...]:
        """The blocking factors to run: as given, else the preset's own; one None for a network that has none."""
        if self.network is not None:
            return (None,)
        return self.blocking_factor or (_parameters_of(self.preset).get("blocking_factor"),)

    def build(self, blocking_factor: float | None) -> Topology:
        """The network with one of the blocking factors.

        Raises:
            ValueError: parameters that make no network.
        """
        if self.network is not None:
            return self.network
        factor = {} if blocking_factor is None else {"blocking_factor": blocking_factor}
        try:
            return PRESETS[self.preset](**self.parameters, **factor)
        except TypeError as error:
            raise ValueError(f"{error}; give whole numbers for counts and rates in Mbit/s") from error


def with_network(content: Any) -> Any:  # noqa: ANN401 - anything that YAML can hold
    """A specification's content with its network written out where it names a file, so that it needs none from then on.

    Raises:
        ValueError: the file cannot be read, or describes no network.
    """
    topology = content.get("topology") if isinstance(content, Mapping) else None
    if not isinstance(topology, Mapping) or not isinstance(name := topology.get("file"), str):
        return content
    try:
        path = nofollow.followed(Path(content.get("folder") or "") / name)
        network = Topology.from_json(nofollow.read_text(path))
    except OSError as error:
        raise ValueError(f"topology.file: {name}: {error.strerror}; give the path of a JSON document") from error
    except (FileError, ValueError) as error:
        raise ValueError(f"topology.file: {name}: {error}") from error
    rest = {key: value for key, value in topology.items() if key != "file"}
    return {**content, "topology": {**rest, "network": network}}


def _rates(value: Any) -> Any:  # noqa: ANN401 - anything that YAML can hold
    """A rate, or each of several, in Mbit/s."""
    return [parse_mbps(one) for one in value] if isinstance(value, list | tuple) else parse_mbps(value)


def _parameters_of(preset: str) -> dict[str, Any]:
    """Parameters that a topology preset takes, with their defaults."""
    return {name: parameter.default for name, parameter in inspect.signature(PRESETS[preset]).parameters.items()}
