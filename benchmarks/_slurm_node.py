"""A Slurm of one node on this machine, in a folder of its own: munged, slurmctld and slurmd, ended with the block."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
PATIENCE_SECONDS = 60.0
CONFIGURATION = """
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
KillWait=5
MpiDefault=none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=1000 State=UNKNOWN
PartitionName=here Nodes=ALL Default=YES State=UP MaxTime=INFINITE PriorityTier=1
PartitionName=urgent Nodes=ALL State=UP MaxTime=INFINITE PriorityTier=2 PreemptMode=OFF
"""


def missing() -> list[str]:
    """What is not installed of what a node needs; on Debian: slurm-wlm and munge."""
    return [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """The node, known to Slurm's commands by the environment's SLURM_CONF. Needs root, as slurmd does."""
    for name in ("state", "spool"):
        (folder / name).mkdir(mode=0o700)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    configuration = folder / "slurm.conf"
    ports = [_free_port() for _ in range(2)]
    configuration.write_text(
        CONFIGURATION.format(
            host=socket.gethostname(),
            user="root",
            folder=folder,
            controller_port=ports[0],
            node_port=ports[1],
            cores=os.cpu_count(),
        )
    )
    munge = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket"]
    munge += [f"--{name}-file={folder}/munge.{name}" for name in ("pid", "log", "seed")]
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(configuration)
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in (munge, ["slurmctld", "-D"], ["slurmd", "-D"]):
            started.append(_start(command, folder / f"{command[0]}.said"))
        _wait_until_idle(started, folder)
        yield
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()
        if before is None:
            del os.environ["SLURM_CONF"]
        else:
            os.environ["SLURM_CONF"] = before


def _start(command: list[str], said: Path) -> subprocess.Popen[bytes]:
    with said.open("wb") as output:
        return subprocess.Popen(
            command, env=os.environ | {"PATH": _path()}, stdout=output, stderr=output, start_new_session=True
        )


def _wait_until_idle(started: list[subprocess.Popen[bytes]], folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True)
        if answer.stdout.split() and set(answer.stdout.split()) == {"idle"}:
            return
        if any(process.poll() is not None for process in started):
            break
        time.sleep(0.5)
    said = "\n".join(path.read_text()[-1500:] for path in sorted(folder.glob("*.said")))
    raise RuntimeError(f"no Slurm came up:\n{said}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
