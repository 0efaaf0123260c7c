"""Check the project in another release of Debian, as root: `python3 scripts/check_in_debian.py trixie /var/tmp/trixie`.

debootstrap makes the system in the folder, once. A fresh clone of this checkout, with what is committed, is put into
it, and `scripts/check.py` or another command runs there, in mount and process namespaces that end with it. The kernel
is this machine's. Delete the folder to be rid of all of it.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
MIRROR = "http://deb.debian.org/debian"
PACKAGES = ("ca-certificates", "git", "iproute2", "procps", "python3", "python3-venv")
_PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "PIP_", "SSL_CERT_FILE", "UV_")
CHECK = ("python3", "scripts/check.py")
INSTALL = (*CHECK, "--only-install")
_DEADLINE_S = 3600  # for each of making the system, the clone, and what the checkout needs
_COMMAND_DEADLINE_S = 86_400
_ALWAYS_COPIED = ("/etc/resolv.conf", "/etc/hosts")


def main() -> int:
    """Make the system if there is none, refresh the checkout in it, and run the command; returns its exit code."""
    options = arguments(sys.argv[1:])
    if os.geteuid() != 0:
        print("A system in a folder takes root: start again with sudo.", file=sys.stderr)
        return 2
    if shutil.which("debootstrap") is None:
        print("debootstrap is not installed; install it with `apt-get install debootstrap`.", file=sys.stderr)
        return 2
    folder = options.folder.resolve()
    if not (folder / "etc/debian_version").is_file():
        subprocess.check_call(bootstrap(options.release, folder, options.mirror), timeout=_DEADLINE_S)
    for name in (*_ALWAYS_COPIED, *options.copy):
        target = folder / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, str(target))
    shutil.rmtree(str(folder / "testbed"), ignore_errors=True)
    subprocess.check_call(["git", "clone", "--quiet", str(ROOT), str(folder / "testbed")], timeout=_DEADLINE_S)
    own = environment(os.environ)
    return subprocess.call(inside(folder, INSTALL, settings=False), env=own, timeout=_DEADLINE_S) or subprocess.call(
        inside(folder, options.command), env=own, timeout=_COMMAND_DEADLINE_S
    )


def bootstrap(release: str, folder: Path, mirror: str) -> list[str]:
    """The command that makes the system."""
    return ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", release, str(folder), mirror]


def inside(folder: Path, command: Sequence[str], settings: bool = True) -> list[str]:
    """The command that runs another one in the system's checkout; what it mounts goes when it ends.

    Without `settings` it cannot change the kernel's, which packages try while they are installed: they are this
    machine's, too.
    """
    place = shlex.quote(str(folder))
    # A root of its own, for what enters a mount namespace arrives at its root and not at a chroot's.
    own_root = "umount -l /.outside && cd /testbed && exec "
    kernel = f"{place}/proc/sys"
    protect = "" if settings else f"mount --bind {kernel} {kernel} && mount -o remount,ro,bind {kernel} && "
    script = (
        f"mount --bind {place} {place} && cd {place} && mkdir -p .outside && "
        f"mount -t proc proc {place}/proc && mount --rbind /sys {place}/sys && mount --rbind /dev {place}/dev && "
        f"mount -t tmpfs tmpfs {place}/run && mount -t tmpfs tmpfs {place}/tmp && {protect}"
        f"pivot_root . .outside && exec chroot . sh -c {shlex.quote(own_root + shlex.join(command))}"
    )
    return ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-c", script]


def environment(own: Mapping[str, str]) -> Mapping[str, str]:
    """Variables for the system: a plain environment, and how this machine reaches package sources."""
    kept = {name: value for name, value in own.items() if name.lower().startswith(tuple(map(str.lower, _PASSED_ON)))}
    return {**kept, "HOME": "/root", "LANG": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """What the words of the command line ask for; the command to run is what stands behind `--`."""
    cut = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(
        usage="%(prog)s [options] RELEASE FOLDER [-- COMMAND ...]",
        description="Check the project in another release of Debian.",
        epilog=f"COMMAND is `{shlex.join(CHECK)}` unless another is given, such as `python3 run_testbed.py doctor`.",
    )
    parser.add_argument("release", help="such as trixie, which is Debian 13")
    parser.add_argument("folder", type=Path, help="where the system is, or is to be made")
    parser.add_argument("--mirror", default=MIRROR, help=f"package source [{MIRROR}]")
    parser.add_argument(
        "--copy",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="files of this machine that are needed there too, such as /etc/pip.conf",
    )
    options = parser.parse_args(words[:cut])
    options.command = list(words[cut + 1 :]) or list(CHECK)
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failure:
        sys.exit(str(failure))
