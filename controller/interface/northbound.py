"""The northbound API: reads immutable snapshots, and never touches the OpenFlow side."""

import asyncio
import ipaddress
import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, FastAPI, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from controller.core import Core
from controller.interface import documents, schemas
from controller.interface.metrics import exposition
from controller.journal import Event, Journal
from controller.paths import FlowTuple, PathFinder, Protocol

KEEP_ALIVE_S = 15.0
MOST_STREAMS = 400

Responses: TypeAlias = dict[int | str, dict[str, Any]]

_NOT_FOUND: Responses = {404: {"model": schemas.Problem, "description": "no such thing"}}
_UNAUTHORISED: Responses = {401: {"model": schemas.Problem, "description": "token needed"}}
_MISDIRECTED: Responses = {
    421: {"model": schemas.Problem, "description": "asked under a name that is not this machine's"}
}


@dataclass(frozen=True)
class Sources:
    """Where the answers come from.

    Attributes:
        token: needed by every request; None when only this machine can ask.
    """

    core: Core
    journal: Journal
    paths: PathFinder
    token: str | None = None


def application(sources: Sources) -> FastAPI:
    """The API as an ASGI application."""
    guard = _require_own_name if sources.token is None else _require(sources.token)
    app = FastAPI(
        title="Controller of the emulated network",
        version="1",
        description="What the SDN controller knows: the network against its plan, what every link carries, and "
        "which way flows go.",
        dependencies=[Depends(guard)],
        responses=_MISDIRECTED if sources.token is None else _UNAUTHORISED,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    _add_network(app, sources)
    _add_links(app, sources)
    _add_paths(app, sources)
    _add_feeds(app, sources)

    @app.get("/v1/openapi.json", include_in_schema=False)
    async def document() -> dict[str, Any]:
        """All of this for programs; FastAPI's own route would answer without a token."""
        return app.openapi()

    return app


def _require_own_name(request: Request) -> None:
    """Refuse pages of the web that have their own name lead to this machine (DNS rebinding)."""
    host = request.headers.get("host", "")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        own = host == "" or name.lower() == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        own = False
    if not own:
        raise HTTPException(421, f"host {host!r} is not this machine's own name; ask 127.0.0.1")


def _require(token: str) -> Callable[..., None]:
    bearer = HTTPBearer(auto_error=False)

    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        if given is None or not secrets.compare_digest(given.credentials.encode(), token.encode()):
            raise HTTPException(401, "send the controller's token as `Authorization: Bearer ...`")

    return check


def _add_network(app: FastAPI, sources: Sources) -> None:
    core = sources.core

    @app.get("/v1/health")
    async def health() -> schemas.Health:
        """Whether the network is as planned and routed; differences by name."""
        return documents.health(core.topology, core.snapshot)

    @app.get("/v1/topology")
    async def topology() -> schemas.TopologyDocument:
        """The planned topology, with what is connected and up."""
        return documents.topology(core.topology, core.snapshot)

    @app.get("/v1/hosts")
    async def hosts() -> schemas.HostsDocument:
        """Planned hosts, whether their port is up, and where they were heard."""
        return documents.hosts(core.topology, core.snapshot)


def _add_links(app: FastAPI, sources: Sources) -> None:
    core = sources.core
    example = core.topology.links[-1].id

    @app.get("/v1/links")
    async def links() -> schemas.LinksDocument:
        """What every link carries, per direction."""
        return documents.links(core.counters.latest)

    @app.get("/v1/links/{link_id:path}/history", responses=_NOT_FOUND)
    async def history(
        link_id: Annotated[str, Path(description="a link's id; its `/` may be percent-encoded", examples=[example])],
        samples: Annotated[int, Query(ge=1, le=1200, description="at most so many, the newest")] = 120,
    ) -> schemas.HistoryDocument:
        """The last readings of one link, both directions."""
        link = core.topology.link_by_id.get(link_id)
        if link is None:
            raise HTTPException(404, f"link {link_id!r} is not in the topology; /v1/links lists them")
        return documents.history(link, core.counters, samples)


def _add_paths(app: FastAPI, sources: Sources) -> None:
    core = sources.core
    first, last = core.topology.hosts[0], core.topology.hosts[-1]

    # Not async: asking the switch blocks, so it runs in a worker thread.
    @app.get("/v1/paths", responses=_NOT_FOUND)
    def paths(
        src: Annotated[str, Query(description="name of the sending host", examples=[first.name])],
        dst: Annotated[str, Query(description="name of the receiving host", examples=[last.name])],
        src_port: Annotated[int | None, Query(ge=0, le=65535, examples=[40000])] = None,
        dst_port: Annotated[int | None, Query(ge=0, le=65535, examples=[9000])] = None,
        protocol: Annotated[Protocol, Query()] = "tcp",
    ) -> schemas.PathsDocument:
        """All paths between two hosts, and with both ports given the one that this flow takes."""
        known = core.topology.host_link
        for host in (src, dst):
            if host not in known:
                raise HTTPException(404, f"host {host!r} is not in the topology; /v1/hosts lists them")
        flow = None
        if src_port is not None and dst_port is not None:
            flow = FlowTuple(src, dst, protocol, src_port, dst_port)
        return documents.paths(src, dst, sources.paths, core.snapshot.rules, flow)

    @app.get("/v1/flows", responses=_NOT_FOUND)
    async def flows(
        switch: Annotated[str | None, Query(description="only of this switch")] = None,
    ) -> schemas.FlowsDocument:
        """Flow entries that the switches have been sent, with the ports that each may use."""
        if switch is not None and switch not in {known.name for known in core.topology.switches}:
            raise HTTPException(404, f"switch {switch!r} is not in the topology; /v1/topology lists them")
        return documents.flows(core.snapshot.rules, switch)


def _add_feeds(app: FastAPI, sources: Sources) -> None:
    streams: set[object] = set()
    stream: Responses = {
        503: {"model": schemas.Problem, "description": "too many streams"},
        200: {
            "description": "server-sent events; `data` is an EventDocument",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "x-data": schemas.EventDocument.model_json_schema(),
                }
            },
        },
    }

    @app.get("/v1/events", response_class=StreamingResponse, responses=stream)
    async def events(
        last_event_id: Annotated[
            int, Header(ge=0, description="continue after this event; 0 begins with the oldest")
        ] = 0,
        limit: Annotated[int | None, Query(ge=1, description="end after so many events")] = None,
    ) -> StreamingResponse:
        """What the controller sees and decides, as it happens; begins with the last events that are kept."""
        if len(streams) >= MOST_STREAMS:
            raise HTTPException(503, f"{MOST_STREAMS} streams are open; close one")
        return StreamingResponse(
            _stream(sources.journal, last_event_id, limit, streams), media_type="text/event-stream"
        )

    text: Responses = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}

    @app.get("/metrics", response_class=Response, responses=text)
    async def metrics() -> Response:
        """The same figures for Prometheus."""
        return Response(*exposition(sources.core))


async def _stream(journal: Journal, after_id: int, limit: int | None, streams: set[object]) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Event] = asyncio.Queue()

    def hand_over(event: Event) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, event)

    past, stop = journal.listen(hand_over, after_id)
    streams.add(queue)
    sent = 0
    try:
        for event in past:
            queue.put_nowait(event)
        while limit is None or sent < limit:
            try:
                event = await asyncio.wait_for(queue.get(), KEEP_ALIVE_S)
            except asyncio.TimeoutError:
                yield ": nothing new\n\n"
                continue
            sent += 1
            yield f"id: {event.id}\nevent: {event.kind}\ndata: {json.dumps(asdict(event))}\n\n"
    finally:
        stop()
        streams.discard(queue)
