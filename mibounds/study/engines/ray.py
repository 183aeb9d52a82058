"""The Ray engine: groups of packs as tasks of Ray Core, on a cluster or on a Ray that is started here."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from mibounds.errors import ParameterError
from mibounds.study.engines.base import Ended, Engine, Started, Task, require_limit
from mibounds.study.workers.durations import guessed_seconds
from mibounds.study.workers.group import serve_gathered
from mibounds.study.workers.grouping import grouped
from mibounds.study.workers.ledger import Group, Ledger

AWAITED_SECONDS = 1.0
# Whoever imports Ray first decides by these; the loopback address is Ray's own only where it thinks of no cluster.
HERE_ALONE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}


class RayEngine(Engine):
    """Tasks of Ray Core. What is lost with a worker or a node is sent anew, three times a pack.

    Without an address, a Ray is started on 127.0.0.1, without dashboard or usage statistics, and shut down after the
    run; a process that is connected to Ray already uses that. All nodes must see the study's file and the results
    folder under the same paths, and have mibounds installed.

    Args:
        address: of a running cluster: "host:port", or "auto" on one of its machines.
        gpus_per_pack: share of a GPU; by default a whole one where the device is CUDA, none elsewhere.
        cpus_per_pack: cores, as many as threads.
        limit: the longest that a pack may take, in minutes; one that hangs is a failure. By default there is none.

    Raises:
        ParameterError: a value outside its domain, or Ray is not installed.
    """

    def __init__(
        self,
        address: str | None = None,
        gpus_per_pack: float | None = None,
        cpus_per_pack: int = 1,
        limit: float | None = None,
    ):
        if gpus_per_pack is not None and not gpus_per_pack >= 0:
            raise ParameterError(f"gpus per pack must be 0 or more; got {gpus_per_pack:g}")
        if gpus_per_pack is not None and gpus_per_pack > 1 and gpus_per_pack % 1:
            raise ParameterError(f"gpus per pack must be a share of one or whole; got {gpus_per_pack:g}")
        if cpus_per_pack < 1:
            raise ParameterError(f"cpus per pack must be at least 1; got {cpus_per_pack}")
        self.address, self.gpus_per_pack, self.cpus_per_pack = address, gpus_per_pack, cpus_per_pack
        self._limit = require_limit(limit)
        self._facts: dict[str, Any] = {}
        _ray(here=address is None)

    def facts(self) -> dict[str, Any]:
        return {"engine": "ray", **self._facts}

    def run(self, tasks: Sequence[Task], device: str) -> Generator[Started | Ended | None]:
        with self._connected():
            gpus = self._gpus(device)
            slots = self._slots(gpus)
            ledger = Ledger()
            out = _Sent(ledger, self.cpus_per_pack, gpus, device if gpus else "cpu", self._limit)
            try:
                yield from _in_groups(out, tasks, slots)
            finally:
                out.cancel()
                self._facts = {"workers": slots, **ledger.facts()}

    @contextmanager
    def _connected(self) -> Iterator[None]:
        ray = _ray(here=self.address is None)
        if ray.is_initialized():
            yield
            return
        _require_answer(self.address)
        try:
            ray.init(address=self.address or "local", logging_level="ERROR", **_started_here(self.address))
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = f"at {self.address}" if self.address else "here"
            advice = "; is RAY_AUTH_MODE=token set, if the cluster has a token?" if self.address else ""
            raise ParameterError(f"no Ray {where}: {' '.join(str(error).split())}{advice}") from error
        try:
            yield
        finally:
            ray.shutdown()

    def _gpus(self, device: str) -> float:
        """A pack's share, on this device."""
        there = _ray().cluster_resources().get("GPU", 0)
        if device == "cuda" and not there and self.address is None:
            raise ParameterError(
                "no CUDA device can be used here, and 'cuda' was asked for; take --device cpu or auto"
            )
        if self.gpus_per_pack is not None:
            return 0.0 if device == "cpu" else self.gpus_per_pack
        return float(device == "cuda" or (device == "auto" and there > 0))

    def _slots(self, gpus: float) -> int:
        """Packs that the nodes there are can measure at the same time."""
        nodes = [node["Resources"] for node in _ray().nodes() if node["Alive"]]
        if not nodes:
            raise ParameterError(
                "this Ray has no node that is alive; its logs lie in /tmp/ray/session_latest/logs"
            )
        fit = [
            min(
                int(node.get("CPU", 0) // self.cpus_per_pack),
                int((node.get("GPU", 0) + 1e-9) // gpus) if gpus else 10**9,
            )
            for node in nodes
        ]
        if not any(fit) and self.address is None:
            cores, devices = (max(node.get(name, 0) for node in nodes) for name in ("CPU", "GPU"))
            raise ParameterError(
                f"a pack asks for {self.cpus_per_pack} cores and {gpus:g} GPUs; here are {cores:g} and {devices:g}"
            )
        return max(1, sum(fit))


class _Sent:
    """The groups that are with Ray, each a stream of events."""

    def __init__(self, ledger: Ledger, cpus: int, gpus: float, device: str, limit_seconds: float | None):
        self._ledger = ledger
        self._arguments = (device, cpus, limit_seconds)
        self._serve = _ray().remote(
            num_cpus=cpus, num_gpus=gpus, max_retries=0, num_returns="streaming", max_calls=0
        )(serve_gathered)
        self._streams: dict[Any, Group] = {}

    def send(self, group: Group) -> None:
        self._streams[self._serve.remote(self._ledger.requests(group), *self._arguments)] = group

    def events(self) -> Generator[Started | Ended | None]:
        """Until all groups are over, or results cannot be kept."""
        while self._streams:
            ready, _ = _ray().wait(list(self._streams), timeout=AWAITED_SECONDS)
            if not ready:
                yield None
            for stream in ready:
                for event in self._next(stream):
                    yield event
                    if isinstance(event, Ended) and event.kind == "store":
                        return

    def _next(self, stream: Any) -> list[Started | Ended]:
        group, exceptions = self._streams[stream], _ray().exceptions
        try:
            events = [self._ledger.hear(group, event) for event in _ray().get(next(stream))]
            return [event for event in events if event is not None]
        except StopIteration:
            del self._streams[stream]
            return []
        except exceptions.RayError as error:
            del self._streams[stream]
            short = isinstance(error, exceptions.OutOfMemoryError)
            ended, again = self._ledger.lose(group, _words(error), for_memory=short)
            for other in again:
                self.send(other)
            return list(ended)

    def cancel(self) -> None:
        for stream in self._streams:
            with suppress(Exception):  # a cluster that is gone has cancelled all by itself
                _ray().cancel(stream, force=True)
        self._streams.clear()


def _in_groups(out: _Sent, tasks: Sequence[Task], slots: int) -> Generator[Started | Ended | None]:
    """Where nothing is known of the packs' seconds, one for each slot is measured first."""
    seconds = guessed_seconds(tasks)
    if seconds is None and len(tasks) > slots:
        first, tasks = tasks[:slots], tasks[slots:]
        for task in first:
            out.send(Group([task]))
        for event in out.events():
            yield event
            if isinstance(event, Ended) and event.kind == "store":
                return
        seconds = guessed_seconds(tasks)
    for group in grouped(seconds or [float("inf")] * len(tasks), slots):
        out.send(Group([tasks[i] for i in group]))
    yield from out.events()


def _words(error: Exception) -> str:
    """Which of Ray's errors it was, and its first line."""
    said = str(error).strip().splitlines()
    return f"lost by Ray ({type(error).__name__}: {said[0] if said else 'no message'})"


def _require_answer(address: str | None) -> None:
    """Ray itself would try for minutes."""
    host, _, port = (address or "").rpartition(":")
    if address in (None, "auto"):
        return
    if not port.isdigit() or not host or "/" in host:
        raise ParameterError(f"address must be host:port of a cluster's head, or auto; got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=AWAITED_SECONDS * 5).close()
    except (OSError, OverflowError) as error:
        raise ParameterError(
            f"no Ray answers at {address}: {error}; start one there by ray start --head"
        ) from error


def _started_here(address: str | None) -> dict[str, Any]:
    from mibounds.study.engines.local import n_cores

    return {"num_cpus": n_cores(), "include_dashboard": False} if address is None else {}


def _ray(here: bool = False) -> Any:
    if here:
        for name, value in HERE_ALONE.items():
            os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise ParameterError("the engine ray needs Ray: pip install 'mibounds[ray]'") from error
    return ray
