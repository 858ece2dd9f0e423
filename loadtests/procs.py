"""What a tree of processes costs, read from /proc: CPU seconds and memory."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the figures come from."""

    cores: int
    load_average: float
    processor: str


def machine() -> Machine:
    """This machine, and how busy it was over the last minute."""
    names = [line for line in _text(_PROC / "cpuinfo").splitlines() if line.startswith("model name")]
    return Machine(
        os.cpu_count() or 1, os.getloadavg()[0], names[0].partition(":")[2].strip() if names else "unknown"
    )


def cpu_seconds(pid: int) -> float:
    """CPU time that a process and its descendants have used so far, ended ones that were waited for included."""
    return sum(_cpu_of(one) for one in tree(pid))


def tree(pid: int) -> list[int]:
    """A process and its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _fields(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, at = [pid], 0
    while at < len(found):
        found += children.get(found[at], [])
        at += 1
    return found


def memory_mib(pid: int) -> tuple[float, float]:
    """Resident memory of one process in MiB: now, and at its peak."""
    lines = dict(
        line.partition(":")[::2] for line in _text(_PROC / str(pid) / "status").splitlines() if ":" in line
    )
    return _mib(lines, "VmRSS"), _mib(lines, "VmHWM")


def _mib(lines: dict[str, str], name: str) -> float:
    return int(lines.get(name, "0 kB").split()[0]) / 1024


def _cpu_of(pid: int) -> float:
    fields = _fields(pid)
    return sum(int(field) for field in fields[11:15]) / _TICKS if fields else 0.0


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent, ...; empty when the process is gone."""
    return _text(_PROC / str(pid) / "stat").rpartition(")")[2].split()


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""
