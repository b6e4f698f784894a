"""llama.cpp, built for this machine from the sources inside llama-cpp-python of PyPI (scripts/tools.toml)."""

import os
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("TERNTABLE_CACHE", ROOT / ".cache"))
PACKAGE = "llama-cpp-python"
VERSION = tomllib.loads((ROOT / "scripts/tools.toml").read_text())["peers"][PACKAGE]
FOLDER = CACHE / f"peers/{PACKAGE}-{VERSION}"


def run(command, **options):
    """Runs a program; its output, or the end of it and an exit if it failed."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if result.returncode:
        sys.exit(f"{command[0]} failed ({result.returncode}):\n{(result.stdout + result.stderr)[-3000:]}")
    return result.stdout


def sources():
    """The unpacked package."""
    unpacked = f"llama_cpp_python-{VERSION}"
    if not (FOLDER / unpacked / "pyproject.toml").is_file():
        FOLDER.mkdir(parents=True, exist_ok=True)
        run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", PACKAGE,
             f"{PACKAGE}=={VERSION}", "-d", FOLDER])
        with tarfile.open(FOLDER / f"{unpacked}.tar.gz") as tar:
            tar.extractall(FOLDER, filter="data")
    return FOLDER / unpacked


def build(target):
    """Builds a target once a version; the folder of programs and libraries."""
    programs = FOLDER / "build/bin"
    if not any(programs.glob(f"{target}*")) and not any(programs.glob(f"lib{target}.*")):
        print(f"building {target} of {PACKAGE} {VERSION} (some minutes)", file=sys.stderr)
        tools = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        run(["cmake", "-G", "Ninja", "-S", sources() / "vendor/llama.cpp", "-B", FOLDER / "build",
             "-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON", "-DLLAMA_CURL=OFF", "-DLLAMA_BUILD_TESTS=OFF",
             "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_SERVER=OFF"], env=tools)
        run(["ninja", "-C", FOLDER / "build", target], env=tools)
    return programs


def binding():
    """llama_cpp, the Python package, on the library built here."""
    os.environ["LLAMA_CPP_LIB_PATH"] = str(build("llama"))
    sys.path.insert(0, str(sources()))
    import llama_cpp

    return llama_cpp
