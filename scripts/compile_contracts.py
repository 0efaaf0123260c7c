"""Compile the contracts of `retention/` anew, with the version of Vyper that their sources name.

`.venv/bin/python -m scripts.compile_contracts` after a change of them; `scripts/provision_retention.py` installs Vyper.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "retention" / "contracts"


def compiled() -> dict[str, Any]:
    """What `retention.compiled` reads."""
    import vyper
    from vyper.compiler import compile_code

    contracts = {}
    for source in sorted(FOLDER.glob("*.vy")):
        found = compile_code(source.read_text(), output_formats=["abi", "bytecode", "method_identifiers"])
        contracts[source.stem] = {
            "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
            "abi": found["abi"],
            "bytecode": found["bytecode"],
            "selectors": {
                name.partition("(")[0]: f"0x{int(code, 16):08x}" for name, code in found["method_identifiers"].items()
            },
        }
    return {"compiler": vyper.__version__.partition("+")[0], "contracts": contracts}


def document(found: dict[str, Any]) -> str:
    """As it is on disk."""
    return json.dumps(found, indent=1) + "\n"


if __name__ == "__main__":
    (FOLDER / "compiled.json").write_text(document(compiled()))
    sys.exit(0)
