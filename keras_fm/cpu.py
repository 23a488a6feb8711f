"""What the CPU of this machine can do."""

from pathlib import Path


def cpu_flags() -> set[str]:
    """Return the words of `/proc/cpuinfo`, its flags among them; none where it is not there."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return set()  # not Linux: there is no cheap way to know
    return {word for line in cpuinfo.splitlines() if ":" in line for word in line.split()}
