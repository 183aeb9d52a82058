"""A Ray cluster of three node processes on 127.0.0.1, one of which can be killed, and be replaced."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks._disturbances import children
from mibounds.study.engines.ray import HERE_ALONE

STARTS_AT_MOST = 10
NODES = 2  # beside the head, which measures nothing


class Nodes:
    """The head and the nodes that measure, each a raylet with its workers."""

    def __init__(self) -> None:
        os.environ.update(HERE_ALONE)  # the drivers inherit it: all are to meet on the loopback address
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, "node_ip_address": "127.0.0.1"}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._nodes: list[Any] = []
        self.replace_lost()

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def replace_lost(self) -> None:
        """As many nodes as at the beginning. On a machine that is busy a start may time out, and is tried again."""
        tries = 0
        while len(self._nodes) < NODES:
            tries += 1
            try:
                self._nodes.append(self._cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1"))
            except Exception:  # Ray's own class of it
                if tries == STARTS_AT_MOST:
                    raise
        self._cluster.wait_for_nodes()

    def busy(self) -> list[int]:
        """Workers that measure right now."""
        return [worker for node in self._nodes for worker in _measuring(node)]

    def kill_one(self, moment: random.Random) -> None:
        """A node that measures, if one does, with all its processes and no farewell."""
        working = [node for node in self._nodes if _measuring(node)]
        lost = moment.choice(working or self._nodes)
        self._nodes.remove(lost)
        self._cluster.remove_node(lost, allow_graceful=False)

    def end(self) -> None:
        self._cluster.shutdown()


@contextmanager
def nodes() -> Iterator[Nodes]:
    there = Nodes()
    try:
        yield there
    finally:
        there.end()


def _measuring(node: Any) -> list[int]:
    """Processes of the node that are at a group of packs: Ray names them by what they do."""
    raylets = [info.process.pid for info in node.all_processes.get("raylet", ())]
    return [pid for raylet in raylets for pid in children(raylet) if _name(pid).startswith("ray::serve")]


def _name(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""
