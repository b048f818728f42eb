"""What `make install` puts into a prefix serves every way of building, and can be taken out again."""

import os
import pathlib
import re
import shutil

import pytest

from commands import ROOT, TOOLS, header_constant, make, output, run

PROGRAMS = ROOT / "c_tests/install"
COMPILERS = {"c": "cc", "cpp": "c++"}
VERSION, ABI = header_constant("SHARDSPEC_VERSION"), header_constant("SHARDSPEC_ABI_VERSION")


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")
            if not path.is_dir() or path.is_symlink()}


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("installed") / "prefix"
    make("install", PREFIX=prefix)
    return prefix


@pytest.fixture(scope="module")
def elsewhere(prefix, tmp_path_factory):
    """The prefix, moved to another place, with the static library only."""
    moved = tmp_path_factory.mktemp("moved") / "prefix"
    shutil.copytree(prefix, moved, symlinks=True)
    for library in moved.glob("lib*/libshardspec.so*"):
        library.unlink()
    return moved


def libraries_of(prefix):
    (library,) = prefix.rglob("libshardspec.a")
    return library.parent


def pkg_config(prefix, *options):
    path = {"PKG_CONFIG_PATH": str(libraries_of(prefix) / "pkgconfig")}
    return output(TOOLS / "pkg-config", *options, "shardspec", environment=path).split()


def check_program(program, shared):
    """It runs, by itself, and needs the shared library or does not."""
    assert output(program) == f"shardspec {VERSION} with ABI {ABI}: 5 6\n"
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", program))
    assert (f"libshardspec.so.{ABI}" in needed) == shared
    return needed


def compiled(language, tmp_path, *flags):
    program = tmp_path / "program"
    output(COMPILERS[language], PROGRAMS / f"program.{language}", "-o", program, *flags)
    return program


languages = pytest.mark.parametrize("language", COMPILERS)


@languages
def test_pkg_config_tells_how_to_build(prefix, language, tmp_path):
    (libraries,) = pkg_config(prefix, "--variable=libdir")
    program = compiled(language, tmp_path, *pkg_config(prefix, "--cflags", "--libs"),
                       f"-Wl,-rpath,{libraries}")
    check_program(program, shared=True)
    assert pkg_config(prefix, "--modversion") == [VERSION]


@languages
def test_pkg_config_static_tells_how_to_build_without_the_shared_library(elsewhere, language, tmp_path):
    flags = pkg_config(elsewhere, "--static", "--cflags", "--libs")
    assert str(ROOT) not in " ".join(flags)
    check_program(compiled(language, tmp_path, *flags), shared=False)


@languages
def test_pkg_config_static_serves_programs_that_are_wholly_static(prefix, language, tmp_path):
    if not pathlib.Path(output("cc", "-print-file-name=libc.a").strip()).is_absolute():
        pytest.skip("this machine has no static C library")
    flags = pkg_config(prefix, "--static", "--cflags", "--libs")
    needed = check_program(compiled(language, tmp_path, "-static", *flags), shared=False)
    assert needed == []


@languages
def test_plain_flags_are_enough(prefix, language, tmp_path):
    libraries = libraries_of(prefix)
    program = compiled(language, tmp_path, f"-I{prefix}/include", f"-L{libraries}", "-lshardspec",
                       f"-Wl,-rpath,{libraries}")
    check_program(program, shared=True)
    program = compiled(language, tmp_path, f"-I{prefix}/include", libraries / "libshardspec.a",
                       *native_static_libraries(tmp_path))
    check_program(program, shared=False)


def native_static_libraries(folder):
    """What rustc says that a static library needs."""
    (folder / "nothing.rs").write_text("")
    done = run("rustc", "--crate-type", "staticlib", "--print", "native-static-libs", "--out-dir",
               folder, folder / "nothing.rs", cwd=ROOT)
    (libraries,) = re.findall(r"native-static-libs: (.*)", done.stderr)
    return libraries.split()


def test_the_private_libraries_are_those_that_rustc_names(prefix, tmp_path):
    private = set(pkg_config(prefix, "--static", "--libs")) - set(pkg_config(prefix, "--libs"))
    # The C compiler adds these two itself, shared or static as the program is.
    assert private == set(native_static_libraries(tmp_path)) - {"-lgcc_s", "-lc"}


def cmake_build(build, *options, generator="Ninja"):
    output("cmake", "-S", PROGRAMS, "-B", build, "-G", generator, *options)
    output("cmake", "--build", build)
    for language in COMPILERS:
        for kind in ("shared", "static"):
            check_program(build / f"{language}_{kind}", shared=kind == "shared")


def test_find_package_gives_both_targets(prefix, tmp_path):
    cmake_build(tmp_path, f"-DCMAKE_PREFIX_PATH={prefix}")


def test_find_package_refuses_another_minor_version(prefix, tmp_path):
    with pytest.raises(AssertionError, match=rf"version: {VERSION}"):
        cmake_build(tmp_path, f"-DCMAKE_PREFIX_PATH={prefix}", "-DWANTED=0.0.1")


@pytest.mark.parametrize("generator", ["Ninja", "Unix Makefiles"])
def test_add_subdirectory_gives_both_targets_and_builds_only_what_changed(generator, tmp_path):
    cmake_build(tmp_path, f"-DSHARDSPEC_SOURCE={ROOT}", f"-DSHARDSPEC_TARGET_DIR={ROOT}/target",
                generator=generator)
    programs = [tmp_path / f"c_{kind}" for kind in ("shared", "static")]

    def built():
        output("cmake", "--build", tmp_path)
        return [program.stat().st_mtime_ns for program in programs]

    before = built()
    assert built() == before
    for name in ("libshardspec.so", "libshardspec.a"):
        os.utime(ROOT / "target/release" / name)
    assert all(new > old for new, old in zip(built(), before))


def test_the_shared_library_has_the_name_that_programs_look_for(prefix):
    libraries = libraries_of(prefix)
    assert os.readlink(libraries / "libshardspec.so") == f"libshardspec.so.{ABI}"
    assert os.readlink(libraries / f"libshardspec.so.{ABI}") == f"libshardspec.so.{VERSION}"
    dynamic = output("readelf", "-d", libraries / f"libshardspec.so.{VERSION}")
    assert re.findall(r"\(SONAME\).*\[(.*)\]", dynamic) == [f"libshardspec.so.{ABI}"]


def test_all_headers_and_both_licences_are_installed(prefix):
    assert files(prefix / "include") == files(ROOT / "include")
    licences = prefix / "share/licenses/shardspec"
    assert files(licences) == {"LICENSE-MIT", "LICENSE-APACHE"}
    for licence in licences.iterdir():
        assert licence.read_bytes() == (ROOT / licence.name).read_bytes()


def test_the_command_is_installed_with_its_pages_and_completions(prefix):
    assert output(prefix / "bin/shardspec", "--version") == f"shardspec {VERSION}\n"
    pages = {f"shardspec{name}.1" for name in ("", "-show", "-check", "-plan", "-convert", "-digest")}
    assert pages <= files(prefix / "share/man/man1")
    for completions in ("bash-completion/completions/shardspec", "zsh/site-functions/_shardspec",
                        "fish/vendor_completions.d/shardspec.fish"):
        assert "convert" in (prefix / "share" / completions).read_text()


def test_nothing_installed_knows_where_it_was_built_or_installed(prefix):
    texts = [path for path in prefix.rglob("*") if path.suffix in (".h", ".hpp", ".pc", ".cmake")]
    assert len(texts) >= 4
    for path in texts:
        assert not re.search(f"{ROOT}|{prefix}", path.read_text()), path


def test_strip_leaves_a_small_library_that_works(prefix, tmp_path):
    output("cmake", "--install", ROOT / "target/install", "--strip", "--prefix", tmp_path)
    small, large = (libraries_of(where) / f"libshardspec.so.{VERSION}" for where in (tmp_path, prefix))
    assert small.stat().st_size < large.stat().st_size / 2
    test_pkg_config_tells_how_to_build(tmp_path, "c", tmp_path)


def test_uninstall_leaves_what_was_there_before_and_nothing_else(tmp_path):
    make("install", PREFIX=tmp_path)
    (tmp_path / "include/other.h").write_text("")
    make("uninstall", PREFIX=tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["include", "other.h"]
    make("uninstall", PREFIX=tmp_path)


def test_destdir_stages_what_the_prefix_will_have(prefix, tmp_path):
    make("install", PREFIX="/opt/shardspec", DESTDIR=tmp_path)
    staged = tmp_path / "opt/shardspec"
    assert files(staged) == files(prefix)
    make("uninstall", PREFIX="/opt/shardspec", DESTDIR=tmp_path)
    assert list(staged.iterdir()) == []
