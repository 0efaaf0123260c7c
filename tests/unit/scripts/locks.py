"""Reading lock files."""


def requirements(lock):
    """The requirements of a lock file, each with its hashes, by the package's name."""
    found: dict[str, list[str]] = {}
    text = "\n".join(line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#"))
    for requirement in text.replace("\\\n", " ").splitlines():
        found.setdefault(requirement.split("==")[0], []).append(requirement)
    return found
