"""What the testbed needs on a machine: find out what is missing, install it, go on in the project's environment.

Runs under whichever Python (3.8 or later) `python` is, before anything is installed: standard library only. What to do
follows from `Facts` alone (`plan`); the commands of a plan are all there is, so that `--no-install` can print them.

The environment `.venv` is complete when it holds a copy of the lock file that it was made from. That copy is removed
before the environment is touched and written last: what was killed half-way is made anew by the next start.
"""

from __future__ import annotations

import configparser
import contextlib
import fcntl
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping, NoReturn, Sequence

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
LOCK_FILE = ROOT / "requirements.lock"
STAMP = ENVIRONMENT / "requirements.lock"

SYSTEM_PYTHON = Path("/usr/bin/python3")  # the one that the distribution's Mininet is made for
MININET = Path("/usr/lib/python3/dist-packages/mininet")
OLDEST_PYTHON = (3, 10)

_PYTHONPATH = "PLACEMENT_TESTBED_PYTHONPATH"
_STDERR = 2
_DEADLINE_S = 3600.0  # of one command
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Package:
    """A package of the distribution, and the programs and paths that show that it is there."""

    name: str
    evidence: tuple[str, ...]
    substitutes: tuple[str, ...] = ()  # any of these programs does as well
    ubuntu_name: str = ""


RUNTIME = (
    Package("mininet", ("mnexec", str(MININET))),
    Package("openvswitch-switch", ("ovs-vswitchd", "ovsdb-server", "ovs-vsctl")),
    Package("iperf3", ("iperf3",)),
    Package("iproute2", ("ip", "tc", "ss")),
)
TESTING = (
    Package("iputils-ping", ("ping",)),
    Package("chromium", ("chromium",), ("chromium-browser", "google-chrome"), "chromium-browser"),
)


WITHOUT_EMULATION = frozenset(
    (
        "calibrate-volumes",
        "compare",
        "completion",
        "export-mlflow",
        "import",
        "place",
        "report",
        "schema",
        "show",
        "simulate",
    )
)
"""Commands that take the environment alone."""


@dataclass(frozen=True)
class Facts:
    """What there is: `environment` is the state of `.venv`, `python` the version of the interpreter it is made for."""

    missing_packages: tuple[str, ...]
    environment: str  # "ready", "outdated" (complete, for another lock file) or "absent" (or unfinished)
    python: tuple[int, int] | None
    apt: bool
    root: bool
    writable: bool  # the checkout and what `.venv` it has
    pip_index: bool  # pip is told where to get packages from
    interpreter: str = str(SYSTEM_PYTHON)

    def __post_init__(self) -> None:
        """Check the state's name."""
        if self.environment not in ("ready", "outdated", "absent"):
            raise ValueError(f"environment {self.environment!r}: give ready, outdated or absent")


@dataclass(frozen=True)
class Command:
    """One step of an installation, run in the checkout."""

    argv: tuple[str, ...]
    privileged: bool = False
    may_fail: bool = False

    def text(self, as_root: bool) -> str:
        """The line to type, with sudo where it takes root and one is not."""
        return ("" if as_root or not self.privileged else "sudo ") + shlex.join(self.argv)


def packages_for(words: Sequence[str]) -> tuple[Package, ...]:
    """What the distribution has to provide for a command line: nothing where nothing is emulated."""
    given = [word for word in words if word != "--no-install"]
    command = given[0] if given and not given[0].startswith("-") else "run"
    nothing = command in WITHOUT_EMULATION or (command == "sweep" and not {"--simulate", "--list"}.isdisjoint(words))
    return () if nothing else RUNTIME


def ensure_environment(packages: Sequence[Package] = RUNTIME) -> None:
    """Return in the project's environment with everything installed, or end the process with a message.

    Takes `--no-install` out of `sys.argv`. Starts the program again when this process is not the environment's
    Python; exit code 2 means that somebody has to act, 1 that an installation failed.
    """
    os.environ["PATH"] = _with_system_path(os.environ.get("PATH", ""))
    install = "--no-install" not in sys.argv
    sys.argv[1:] = [argument for argument in sys.argv[1:] if argument != "--no-install"]
    ready = not plan(gather(packages))
    if not ready:
        _provide(packages, install)
    if not ready or os.path.realpath(sys.prefix) != os.path.realpath(ENVIRONMENT) or "PYTHONPATH" in os.environ:
        _start_again()


def gather(packages: Sequence[Package]) -> Facts:
    """Look at this machine; takes a few milliseconds and starts no process."""
    interpreter, python = SYSTEM_PYTHON, _python_version(SYSTEM_PYTHON)
    if not packages and (python is None or python < OLDEST_PYTHON):  # whichever runs this will do
        interpreter, python = Path(os.path.realpath(sys.executable)), (sys.version_info[0], sys.version_info[1])
    ubuntu = "ID=ubuntu" in _read("/etc/os-release").split()
    missing = [
        package.ubuntu_name if ubuntu and package.ubuntu_name else package.name
        for package in packages
        if not _installed(package)
    ]
    if not _has_ensurepip(interpreter, python):
        missing.append("python3-venv")
    return Facts(
        missing_packages=tuple(missing),
        environment=_environment_state(python),
        python=python,
        apt=shutil.which("apt-get") is not None,
        root=os.geteuid() == 0,
        writable=all(os.access(path, os.W_OK) for path in (ROOT, ENVIRONMENT) if path.exists()),
        pip_index=pip_has_index(os.environ, [_read(path) for path in _pip_configurations()]),
        interpreter=str(interpreter),
    )


def plan(facts: Facts) -> tuple[Command, ...]:
    """The commands that provide what is missing, in order; none when all is there.

    Without a system Python these are the packages alone: how to make the environment shows when it is there.
    """
    commands = []
    if facts.missing_packages:
        apt_get = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300")
        commands += [
            Command((*apt_get, "update"), privileged=True, may_fail=True),  # another source's failure need not matter
            Command((*apt_get, "install", "-y", "--no-install-recommends", *facts.missing_packages), privileged=True),
        ]
    if facts.python is not None and facts.environment != "ready":
        commands += _environment_commands(facts, facts.python)
    return tuple(commands)


def obstacle(facts: Facts) -> str | None:
    """Why no command can help here, or None."""
    supported = "The testbed runs on Debian 12, Ubuntu 22.04 or a later release of theirs."
    if facts.missing_packages and not facts.apt:
        return f"{supported} Here is no apt-get to install {' '.join(facts.missing_packages)}."
    if facts.python is not None and facts.python < OLDEST_PYTHON:
        have, need = (".".join(map(str, version)) for version in (facts.python, OLDEST_PYTHON))
        return f"{supported} {facts.interpreter} is version {have} here; it takes {need}."
    return None


def lacking(facts: Facts) -> str:
    """What is missing, in the user's words."""
    lines = []
    if facts.missing_packages:
        lines.append(f"  system packages (apt): {' '.join(facts.missing_packages)}")
    if facts.environment != "ready":
        change = "to be brought to" if facts.environment == "outdated" else "with"
        lines.append(f"  Python environment: {ENVIRONMENT}, {change} the versions of {LOCK_FILE.name}")
    return "\n".join(["This machine lacks what the testbed needs:", *lines])


def instructions(facts: Facts, program: Sequence[str]) -> str:
    """The commands for a user who installs by hand or has to become root first; `program` is what was started."""
    steps = [f"cd {shlex.quote(str(ROOT))}", *(command.text(facts.root) for command in plan(facts))]
    sudo = "" if facts.root else "sudo "
    return "\n".join(
        [
            lacking(facts),
            "To install it, run",
            *(f"  {step}" for step in steps),
            "and start again; or let the program do so:",
            f"  {sudo}{shlex.join(['python3', *program])}",
        ]
    )


def pip_has_index(environment: Mapping[str, str], configurations: Sequence[str]) -> bool:
    """Whether pip's variables or files (their texts) say where packages come from, or how the network is reached."""
    keys = ("index-url", "no-index", "proxy")
    if any(f"PIP_{key.replace('-', '_').upper()}" in environment for key in keys):
        return True
    for text in configurations:
        parser = configparser.RawConfigParser(strict=False)
        with contextlib.suppress(configparser.Error):
            parser.read_string(text)
        if any(parser.has_option(section, key) for section in ("global", "install") for key in keys):
            return True
    return False


def _environment_commands(facts: Facts, python: tuple[int, int]) -> list[Command]:
    """Uv takes a tenth of pip's time, but knows nothing of pip's configuration: where that matters, pip does it."""
    own_python = ".venv/bin/python"
    pip = (own_python, "-m", "pip", "install", "--disable-pip-version-check", "--only-binary", ":all:", "--no-deps")
    uv = (".venv/bin/uv", "pip", "sync", "--quiet", "--python", own_python, "--no-build")
    link = f".venv/lib/python{python[0]}.{python[1]}/site-packages/mininet"
    if facts.environment == "outdated":
        steps: list[tuple[str, ...]] = [("rm", "-f", ".venv/requirements.lock")]
    else:
        steps = [(facts.interpreter, "-m", "venv", "--clear", ".venv")]
    if facts.pip_index:
        steps.append((*pip, "--require-hashes", "-r", "requirements.lock"))
    else:
        steps.append((*pip, "--quiet", "--require-hashes", "-r", "scripts/installer.lock"))
        steps.append((*uv, "--require-hashes", "requirements.lock"))
    steps.append(("ln", "-sfn", str(MININET), link))
    steps.append(("cp", "requirements.lock", ".venv/requirements.lock"))
    return [Command(argv, privileged=not facts.writable) for argv in steps]


def _provide(packages: Sequence[Package], install: bool) -> None:
    program = [os.path.relpath(sys.argv[0], ROOT), *sys.argv[1:]]
    with _lock() as lock:
        before: tuple[Command, ...] = ()
        while True:
            facts = gather(packages)  # anew: another process may have installed it meanwhile
            commands = plan(facts)
            reason = obstacle(facts)
            if not commands:
                return
            if reason:
                _stop(reason)
            if commands == before:
                _stop(f"{lacking(facts)}\nIt is still missing after its installation.", code=1)
            if not install:
                _stop(instructions(facts, program))
            if not facts.root and (not facts.writable or any(command.privileged for command in commands)):
                _stop(f"{instructions(facts, program)}\nInstalling takes root.")
            _say(f"{lacking(facts)}\nInstalling it now (with --no-install, the commands are only printed).")
            for command in commands:
                _run(command, facts.root, lock)
            before = commands


def _run(command: Command, as_root: bool, lock: int) -> None:
    """The environment's commands inherit the lock: they hold it as long as they write, even if this process dies."""
    _say(f"+ {command.text(as_root)}")
    inherited = () if command.privileged else (lock,)
    try:
        code = subprocess.run(
            command.argv,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=_STDERR,
            pass_fds=inherited,
            timeout=_DEADLINE_S,
        ).returncode
    except KeyboardInterrupt:
        _stop("Stopped; the next start goes on.", code=130)
    except subprocess.TimeoutExpired:
        _stop(f"Installation failed: not ended within {_DEADLINE_S:g} s:\n  {command.text(as_root)}", code=1)
    if code and not command.may_fail:
        _stop(f"Installation failed: exit code {code} from\n  {command.text(as_root)}", code=1)


@contextlib.contextmanager
def _lock() -> Iterator[int]:
    """One installation at a time: a lock on the checkout's directory, which leaves no file behind."""
    fd = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Another process is installing here; waiting for it.")
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)


def _start_again() -> NoReturn:
    """In the environment with its packages and no others; PYTHONPATH is where strategies are looked for after these."""
    os.environ.pop("PYTHONHOME", None)
    folders = [folder for folder in os.environ.pop("PYTHONPATH", "").split(os.pathsep) if folder]
    if folders:
        os.environ[_PYTHONPATH] = os.pathsep.join(map(os.path.abspath, folders))
    sys.stdout.flush()
    sys.stderr.flush()
    python = str(ENVIRONMENT / "bin" / "python")
    os.execv(python, [python, *sys.argv])


def _has_ensurepip(interpreter: Path, python: tuple[int, int] | None) -> bool:
    """Whether an interpreter, the system's or this one, can make an environment."""
    if interpreter != SYSTEM_PYTHON:
        return importlib.util.find_spec("ensurepip") is not None
    return python is not None and Path(f"/usr/lib/python{python[0]}.{python[1]}/ensurepip").exists()


def _installed(package: Package) -> bool:
    found = all(shutil.which(item) or Path(item).is_dir() for item in package.evidence)
    return found or any(shutil.which(program) for program in package.substitutes)


def _environment_state(python: tuple[int, int] | None) -> str:
    if python is None or not (ENVIRONMENT / "pyvenv.cfg").exists() or not STAMP.exists():
        return "absent"
    if _python_version(ENVIRONMENT / "bin" / "python") != python:
        return "absent"
    site = ENVIRONMENT / "lib" / f"python{python[0]}.{python[1]}" / "site-packages"
    linked = os.path.realpath(site / "mininet") == os.path.realpath(MININET)
    return "ready" if linked and STAMP.read_bytes() == LOCK_FILE.read_bytes() else "outdated"


def _python_version(executable: Path) -> tuple[int, int] | None:
    """Version of an interpreter by the name that its links lead to (python3.11), without running it."""
    if not executable.exists():
        return None
    major, _, minor = Path(os.path.realpath(executable)).name.replace("python", "").partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None


def _pip_configurations() -> list[str]:
    home = os.environ.get("HOME", "/root")
    user = os.environ.get("XDG_CONFIG_HOME", f"{home}/.config")
    files = ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", f"{home}/.pip/pip.conf", f"{user}/pip/pip.conf"]
    return [*files, *filter(None, [os.environ.get("PIP_CONFIG_FILE")])]


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _with_system_path(path: str) -> str:
    """Programs of the system are found also where a user's search path leaves out the sbin directories."""
    directories = [directory for directory in path.split(":") if directory]
    return ":".join([*directories, *(item for item in _SYSTEM_PATH.split(":") if item not in directories)])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _stop(text: str, code: int = 2) -> NoReturn:
    _say(text)
    sys.exit(code)
