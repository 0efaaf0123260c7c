from scripts import provision_ryu


def test_constraints_are_the_locked_versions_without_hashes_and_without_setuptools():
    lock = (
        "# made by a tool\nfastapi==0.1.2 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via x\n"
        "numpy==2.2.6 ; python_full_version < '3.11' \\\n    --hash=sha256:cc\n"
        "setuptools==84.2.1 \\\n    --hash=sha256:dd\n"
    )
    assert provision_ryu.constraints(lock) == "fastapi==0.1.2\nnumpy==2.2.6 ; python_full_version < '3.11'\n"


def test_every_package_of_the_controller_is_in_the_real_lock():
    pins = provision_ryu.constraints(provision_ryu.LOCK_FILE.read_text()).splitlines()
    names = {pin.split("==")[0] for pin in pins}
    assert set(provision_ryu.CONTROLLER) <= names


def test_only_a_python_that_ryu_runs_on_is_taken(monkeypatch):
    versions = {"/usr/bin/a": (3, 12), "/usr/bin/b": (3, 9), "/usr/bin/c": (3, 11)}
    monkeypatch.setattr("shutil.which", lambda name, path: f"/usr/bin/{name}")
    monkeypatch.setattr(provision_ryu, "_version", versions.__getitem__)
    assert provision_ryu.find_python(["a", "b", "c"]) == "/usr/bin/c"
    assert provision_ryu.find_python(["a", "b"]) is None


def test_ryu_is_built_with_the_tools_that_can_build_it():
    make, tools, install, check = provision_ryu.commands("/usr/bin/python3", "constraints.txt")
    assert make[1:3] == ["-m", "venv"]
    assert "setuptools==67.6.1" in tools
    assert "--no-build-isolation" in install
    assert "ryu==4.34" in install
    assert "load('ryu')" in check[-1]
