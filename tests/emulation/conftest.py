import pytest

from topologies import isolation


def pytest_collection_modifyitems(items):
    """Emulation tests build networks; outside of namespaces of their own that must not be tried."""
    try:
        isolation.current()
    except isolation.IsolationError as error:
        pytest.exit(f"emulation tests: {error}", returncode=2)
