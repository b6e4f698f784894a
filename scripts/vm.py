#!/usr/bin/env python3
"""The card in a virtual machine: a kernel's VFIO and an IOMMU between the driver and the card, golden or RTL.

    guest: terntable generate --device vfio:BDF  ->  vfio-pci, VT-d  ->  QEMU vfio-user-pci
    host:  terntable card-server                 <-  socket          <-

QEMU and the kernel come from Debian's archive, through an apt configuration of their own that checks the
archive's signatures; they are unpacked below $TERNTABLE_CACHE/vm and not installed. The archive drops old
versions, so none is pinned; the versions in use are printed. Ends with `vm-test: passed`, with `vm-test: not run:
why` and exit code 77 when QEMU cannot be had, or with an error.
"""
import argparse
import json
import lzma
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("TERNTABLE_CACHE", ROOT / ".cache")) / "vm"
TARGET = "x86_64-unknown-linux-gnu"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# QEMU 10.1 is the first with vfio-user-pci.
SUITES = ["trixie", "trixie-backports"]
QEMU = "qemu-system-x86"
KERNEL = "linux-image-cloud-amd64"
# In the order of loading.
MODULES = ["irqbypass", "vfio", "vfio_iommu_type1", "vfio-pci-core", "vfio-pci"]
RUNS = [["--prompt", "ROMEO:", "--max-tokens", "24"],
        ["--prompt", "KING", "--max-tokens", "24", "--temperature", "0.8", "--seed", "3"]]
# Exit code.
NOT_RUN = 77


class NotRun(Exception):
    """Something that the test needs cannot be had here."""


def apt(*args, capture=False):
    """Runs apt with the configuration of this test."""
    for folder in ["lists/partial", "archives/partial", "empty"]:
        (CACHE / "apt" / folder).mkdir(parents=True, exist_ok=True)
    (CACHE / "apt/status").touch()
    sources = CACHE / "apt/sources.list"
    sources.write_text("".join(
        f"deb [arch=amd64 signed-by={KEYRING}] http://deb.debian.org/debian {suite} main\n"
        for suite in SUITES))
    options = {
        "Dir::State::status": CACHE / "apt/status", "Dir::State::lists": CACHE / "apt/lists",
        "Dir::Cache": CACHE / "apt", "Dir::Cache::archives": CACHE / "apt/archives",
        "Dir::Etc::sourcelist": sources, "Dir::Etc::sourceparts": CACHE / "apt/empty",
        "APT::Architecture": "amd64", "APT::Sandbox::User": "root", "Acquire::Languages": "none",
        "Debug::NoLocking": "1", "APT::Install-Recommends": "0"}
    command = [args[0], *(f"-o{key}={value}" for key, value in options.items()), *args[1:]]
    run = subprocess.run(command, text=True, capture_output=True, cwd=CACHE / "apt/archives",
                         timeout=600)
    if run.returncode:
        raise NotRun(f"`{' '.join(args[:3])}` failed: {run.stderr.strip().splitlines()[-1:]}")
    return run.stdout


def machine():
    """The folder with QEMU and the kernel, fetched if it is not there."""
    folder, versions = CACHE / "root", CACHE / "versions.json"
    if folder.is_dir() and versions.is_file():
        return folder, json.loads(versions.read_text())
    for tool in ["apt-get", "dpkg-deb"]:
        if not shutil.which(tool):
            raise NotRun(f"{tool} is not there; the test takes QEMU from Debian's packages")
    if not Path(KEYRING).is_file():
        raise NotRun(f"{KEYRING} is not there; it checks the packages")
    print("fetching QEMU and a kernel", flush=True)
    apt("apt-get", "update", "-qq")
    depends = apt("apt-cache", "depends", KERNEL)
    kernel = re.search(r"Depends: (linux-image-\S+)", depends)
    if not kernel:
        raise NotRun(f"{KERNEL} names no kernel")
    apt("apt-get", "install", "-qq", "-y", "--download-only", "-t", SUITES[1], QEMU)
    apt("apt-get", "download", "-qq", kernel.group(1))
    shutil.rmtree(folder, ignore_errors=True)
    found = {}
    for package in sorted((CACHE / "apt/archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
        name, version, _ = package.name.split("_")
        found[name] = version.replace("%3a", ":")
    shutil.rmtree(CACHE / "apt/archives")
    used = {name: version for name, version in found.items()
            if name in (QEMU, kernel.group(1))}
    versions.write_text(json.dumps(used))
    return folder, used


def build():
    """The static programs of the guest: terntable, the suite, the init; and terntable for this machine."""
    def cargo(*args, static):
        flags = "-C target-feature=+crt-static"
        env = {**os.environ, "RUSTFLAGS": flags, "CARGO_TARGET_DIR": str(ROOT / "target/static")}
        target = ["--target", TARGET] if static else []
        run = subprocess.run(["cargo", *args, "--release", "--message-format=json", *target],
                             cwd=ROOT, env=env if static else None, text=True, stdout=subprocess.PIPE)
        if run.returncode:
            sys.exit("vm-test: the programs of the guest do not build")
        built = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
        return {artifact["target"]["name"]: artifact["executable"]
                for artifact in built if artifact.get("executable")}
    host = cargo("build", "-p", "terntable", "--bin", "terntable", static=False)
    guest = {
        **cargo("build", "-p", "terntable", "--bin", "terntable", static=True),
        **cargo("build", "-p", "terntable-driver", "--example", "vm_init", static=True),
        **cargo("test", "--no-run", "-p", "terntable-driver", "--test", "transports", static=True)}
    return Path(host["terntable"]), {
        "init": guest["vm_init"], "terntable": guest["terntable"], "suite": guest["transports"]}


class Archive:
    """An initramfs: cpio of format newc."""

    def __init__(self, path):
        self.file, self.number = open(path, "wb"), 0

    def add(self, name, data=b"", mode=stat.S_IFREG | 0o755, device=(0, 0)):
        """Adds a file, a folder or a device."""
        self.number += 1
        fields = [self.number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0]
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        for part in [header + name.encode() + b"\0", data]:
            self.file.write(part + b"\0" * (-len(part) % 4))

    def close(self):
        """Ends the archive."""
        self.add("TRAILER!!!", mode=0)
        self.file.close()


def initramfs(path, folder, programs):
    """The guest's files."""
    archive = Archive(path)
    for name in ["dev", "proc", "sys", "tmp", "model", "modules"]:
        archive.add(name, mode=stat.S_IFDIR | 0o755)
    archive.add("dev/console", mode=stat.S_IFCHR | 0o600, device=(5, 1))
    for name, program in programs.items():
        stripped = path.with_name(name)
        subprocess.run(["strip", "-o", stripped, program], check=True)
        archive.add(name, stripped.read_bytes())
    for file in sorted((ROOT / "models/shakespeare").iterdir()):
        if file.suffix in (".json", ".safetensors"):
            archive.add(f"model/{file.name}", file.read_bytes())
    for number, module in enumerate(MODULES):
        found = sorted(folder.glob(f"**/kernel/**/{module}.ko*"))
        if found:
            data = found[0].read_bytes()
            data = lzma.decompress(data) if found[0].suffix == ".xz" else data
            archive.add(f"modules/{number}-{module}.ko", data)
    archive.add("runs", "\n".join("\t".join(run) for run in RUNS).encode())
    archive.close()


def qemu(folder, initrd, socket):
    """The command line of the machine. The IOMMU comes before the card."""
    libraries = ":".join(str(folder / "usr/lib/x86_64-linux-gnu" / part)
                         for part in ["", "pulseaudio", "blas", "lapack"])
    card = {"driver": "vfio-user-pci", "id": "card0", "bus": "rp0",
            "socket": {"type": "unix", "path": str(socket)}}
    kernel = sorted(folder.glob("boot/vmlinuz*"))[0]
    return [
        folder / "usr/lib64/ld-linux-x86-64.so.2", "--library-path", libraries,
        folder / "usr/bin/qemu-system-x86_64", "-L", folder / "usr/share/qemu",
        "-L", folder / "usr/share/seabios", "-nodefaults", "-nographic", "-no-reboot",
        "-serial", "stdio", "-M", "q35,accel=tcg,memory-backend=mem", "-cpu", "max", "-m", "768",
        "-object", "memory-backend-memfd,id=mem,size=768M,share=on",
        "-device", "intel-iommu,intremap=on,caching-mode=on",
        "-device", "pcie-root-port,id=rp0,bus=pcie.0,chassis=1,slot=1",
        "-device", json.dumps(card), "-kernel", kernel, "-initrd", initrd,
        "-append", "console=ttyS0 intel_iommu=on iommu=nopt quiet loglevel=3 panic=-1"]


def run_guest(command, log, limit):
    """Runs the machine until it is off; what it said. Past its time it is killed."""
    with open(log, "wb") as out:
        guest = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            guest.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(guest.pid, signal.SIGKILL)
            sys.exit(f"vm-test: the machine was not off after {limit} s:\n{tail(log)}")
    # What the firmware and progress bars draw may stand before a line of ours.
    text = log.read_text(errors="replace").replace("\r", "\n")
    return [line[line.find("VM "):] if "VM " in line else line for line in text.splitlines()]


def tail(path):
    """The last lines of a log."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-30:])


def serve(program, socket, kind):
    """The card's server, listening. A simulator may have to be built first."""
    server = subprocess.Popen([program, "card-server", *kind, "--socket", socket])
    for _ in range(600 * 20):
        if socket.exists():
            return server
        if server.poll() is not None:
            break
        time.sleep(0.05)
    server.kill()
    sys.exit("vm-test: the card server made no socket within 600 s")


def compare(lines, host):
    """The guest's tokens against those of the golden model here."""
    answers = [json.loads(line.removeprefix("VM generate "))
               for line in lines if line.startswith("VM generate ")]
    for answer, run in zip(answers, RUNS, strict=True):
        command = [host, "generate", "--json", "--device", "golden", *run]
        expected = json.loads(subprocess.run(command, cwd=ROOT, check=True, text=True,
                                             stdout=subprocess.PIPE).stdout)
        if answer["tokens"] != expected["tokens"]:
            sys.exit(f"vm-test: {run}: the guest has {answer['tokens']}, the golden model "
                     f"{expected['tokens']}")
        print(f"{answer['device']}: {len(answer['tokens'])} tokens as of the golden model")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=170, help="seconds that the machine may run")
    parser.add_argument("--rtl", action="store_true", help="the simulated RTL instead of the golden card")
    options = parser.parse_args()
    limit, kind = options.limit, [] if options.rtl else ["--golden"]
    begin = time.monotonic()
    try:
        folder, versions = machine()
    except NotRun as reason:
        print(f"vm-test: not run: {reason}")
        sys.exit(NOT_RUN)
    host, programs = build()
    built = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        initramfs(scratch / "initramfs", folder, programs)
        server = serve(host, scratch / "card", kind)
        try:
            command = qemu(folder, scratch / "initramfs", scratch / "card")
            lines = run_guest(command, scratch / "log", limit)
        finally:
            server.kill()
            server.wait()
        for line in lines:
            if line.startswith("VM ") and not line.startswith("VM generate"):
                print(line)
        if "VM DONE" not in lines:
            sys.exit("vm-test: the guest did not finish:\n" + "\n".join(lines[-30:]))
        compare(lines, host)
    print(f"versions: {', '.join(f'{name} {version}' for name, version in versions.items())}")
    print(f"vm-test: passed in {time.monotonic() - built:.1f} s "
          f"({built - begin:.1f} s to fetch and build)")


if __name__ == "__main__":
    main()
