"""What the figures were measured on, and with."""

import os
import platform
import re
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

MEASURED_WITH = ("align-server", "uvicorn", "uvloop", "httptools", "asyncpg", "msgspec", "starlette")
_SYNC_TRIES = 200


def facts(directory: Path) -> dict[str, str]:
    """Cores, memory, processor, kernel, the disk under `directory`, and how busy the machine was."""
    return {
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": _memory(),
        "processor": _found("/proc/cpuinfo", r"model name\s*: (.+)") or platform.processor() or "unknown",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "file system": _file_system(directory),
        "flushed writes of 8 KiB": f"{_flushes_per_second(directory):,.0f}/s",
        "load average before": " ".join(f"{it:.2f}" for it in os.getloadavg()),
    }


def busy_share() -> float | None:
    """The share of processor time that others take, looked at for a second; None where the system does not tell."""
    first = _processor_times()
    time.sleep(1)
    second = _processor_times()
    if first is None or second is None or second[0] == first[0]:
        return None
    return 1 - (second[1] - first[1]) / (second[0] - first[0])


def versions() -> dict[str, str]:
    """Of everything that matters for speed."""
    found = {"python": platform.python_version(), **{name: version(name) for name in MEASURED_WITH}}
    printed = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout
    found["wrk"] = printed.split(" [")[0].removeprefix("wrk ").strip()
    return found


def _processor_times() -> tuple[int, int] | None:
    """All ticks of the processors, and the idle ones among them (waiting for disks included)."""
    found = _found("/proc/stat", r"cpu +(.+)")
    if found is None:
        return None
    ticks = [int(it) for it in found.split()]
    return sum(ticks[:8]), ticks[3] + ticks[4]


def _memory() -> str:
    kilobytes = _found("/proc/meminfo", r"MemTotal:\s+(\d+) kB")
    return f"{int(kilobytes) / 2**20:.1f} GiB" if kilobytes else "unknown"


def _found(path: str, pattern: str) -> str | None:
    try:
        found = re.search(pattern, Path(path).read_text("utf-8"))
    except OSError:
        return None
    return found[1] if found else None


def _file_system(directory: Path) -> str:
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    except OSError:
        return "unknown"
    fitting = [(point, kind) for point, kind in mounts if directory.resolve().is_relative_to(point)]
    return max(fitting, default=("", "unknown"), key=lambda it: len(it[0]))[1]


def _flushes_per_second(directory: Path) -> float:
    """How often a page can be written and flushed: what a commit costs at least."""
    file = directory / "flushes"
    with file.open("wb", buffering=0) as out:
        started = time.perf_counter()
        for _ in range(_SYNC_TRIES):
            out.seek(0)
            out.write(b"x" * 8192)
            os.fsync(out.fileno())
        taken = time.perf_counter() - started
    file.unlink()
    return _SYNC_TRIES / taken
