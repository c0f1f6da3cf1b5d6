# SPDX-License-Identifier: Apache-2.0
"""Builds servers with -O2 -g from their Debian sources, once."""
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
SCRIPTS = HERE.parents[2] / "scripts"


def run(command, directory):
    subprocess.run([str(word) for word in command], cwd=directory, check=True, capture_output=True, text=True)


def unpacked(package, directory):
    """The package's upstream source with Debian's patches, of the mirror that apt uses; nothing of apt's own settings
    is changed."""
    lists = directory / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (lists / folder).mkdir(parents=True, exist_ok=True)
    codename = next(line.partition("=")[2].strip() for line in pathlib.Path("/etc/os-release").read_text().splitlines()
                    if line.startswith("VERSION_CODENAME="))
    entry = subprocess.run([SCRIPTS / "apt-source", codename], check=True, capture_output=True, text=True).stdout
    (lists / "source.sources").write_text(entry.replace("Types: deb", "Types: deb-src"))
    options = ["-o", f"Dir::Etc::sourcelist={lists / 'source.sources'}", "-o", "Dir::Etc::sourceparts=-",
               "-o", f"Dir::State::lists={lists / 'lists'}", "-o", f"Dir::Cache={lists}", "-o", "APT::Sandbox::User=root"]
    run(["apt-get", "-q", *options, "update"], directory)
    run(["apt-get", "-q", *options, "--only-source", "source", package], directory)
    return next(path for path in directory.glob(f"{package}-*") if path.is_dir())


def built(package, directory, binary, commands):
    """The binary below the package's source folder, after `commands` in that."""
    for existing in directory.glob(f"{package}-*/{binary}"):
        return existing
    source = unpacked(package, directory)
    for command in commands:
        run(command, source)
    return source / binary


def memcached(directory):
    return built("memcached", directory, "memcached", [["./configure", "CFLAGS=-O2 -g"], ["make", "-j2", "memcached"]])


def redis(directory):
    return built("redis", directory, "src/redis-server", [
        ["make", "-j2", "-C", "src", "MALLOC=libc", "OPTIMIZATION=-O2", "DEBUG=-g", "redis-server"]])


def nginx(directory):
    return built("nginx", directory, "objs/nginx", [
        ["./configure", "--with-threads", "--with-cc-opt=-O2 -g", "--without-http_rewrite_module"], ["make", "-j2"]])
