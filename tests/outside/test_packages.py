"""What gets the extension onto other machines: a staged install, the Debian package, the distribution for PGXN."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PG_CONFIG = os.environ["PG_CONFIG"]
VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
META = json.loads((ROOT / "META.json").read_text())


def pg_config(option):
    return subprocess.check_output([PG_CONFIG, option], text=True).strip()


LIBRARY = Path(pg_config("--pkglibdir")) / "layra_state.so"
EXTENSION = Path(pg_config("--sharedir")) / "extension"
MAJOR = re.search(r"\d+", pg_config("--version"))[0]
SCRIPTS = {path.name for path in (ROOT / "sql").glob("layra_state--*.sql")}
PACKAGE = f"postgresql-{MAJOR}-layra-state"


def run(*command, **environment):
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(root):
    return {path.relative_to(root) for path in root.rglob("*") if not path.is_dir()}


def installed():
    return {Path(str(path)[1:]) for path in [LIBRARY, EXTENSION / "layra_state.control", *(EXTENSION / name for name in SCRIPTS)]}


def test_one_version_everywhere():
    control = (ROOT / "layra_state.control").read_text()
    assert f"default_version = '{VERSION}'" in control
    assert META["version"] == META["provides"]["layra_state"]["version"] == VERSION
    assert f"layra_state--{VERSION}.sql" in SCRIPTS
    rust = re.search(r'^rust-version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    assert re.findall(r"--default-toolchain (\S+)", (ROOT / "Dockerfile").read_text()) == [rust]


def test_install_into_another_directory_and_uninstall(tmp_path):
    run(".ci/install", PG_CONFIG, DESTDIR=str(tmp_path))
    assert files(tmp_path) == installed()
    for path in files(tmp_path):
        assert (tmp_path / path).stat().st_mode & 0o777 == 0o644, path
    for name in SCRIPTS:
        assert (tmp_path / str(EXTENSION)[1:] / name).read_bytes() == (ROOT / "sql" / name).read_bytes()
    run(".ci/uninstall", PG_CONFIG, DESTDIR=str(tmp_path))
    assert files(tmp_path) == set()


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The package's file, and a directory with what is in it."""
    run(".ci/deb", PG_CONFIG)
    architecture = run("dpkg", "--print-architecture").strip()
    file = ROOT / f"target/deb/{PACKAGE}_{VERSION}_{architecture}.deb"
    directory = tmp_path_factory.mktemp("package")
    run("dpkg-deb", "--extract", str(file), str(directory))
    return file, directory


def test_the_debian_package_has_what_is_installed_and_its_documents(package):
    file, directory = package
    documents = Path("usr/share/doc") / PACKAGE
    assert {path for path in files(directory) if documents not in path.parents} == installed()
    pages = {path.relative_to(ROOT) for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*")] if not path.is_dir()}
    assert {path.relative_to(documents) for path in files(directory) if documents in path.parents} == pages | {
        Path("copyright"), Path("changelog.gz")
    }  # fmt: skip
    assert all((directory / path).stat().st_mode & 0o022 == 0 for path in files(directory))
    listing = run("dpkg-deb", "--contents", str(file)).splitlines()
    assert all(" root/root " in line for line in listing)


def test_the_debian_package_says_what_it_needs(package):
    file, _ = package
    fields = dict(line.split(": ", 1) for line in run("dpkg-deb", "--field", str(file)).splitlines() if re.match(r"\w", line))
    assert (fields["Package"], fields["Version"]) == (PACKAGE, VERSION)
    assert fields["Depends"].split(", ")[0] == f"postgresql-{MAJOR}"
    assert re.search(r"libc6 \(>= 2\.\d+\)", fields["Depends"])


def test_the_packaged_library_has_only_the_symbols_that_a_server_uses(package):
    _, directory = package
    library = directory / str(LIBRARY)[1:]
    sections = run("readelf", "--wide", "--section-headers", str(library))
    assert ".symtab" not in sections
    assert ".debug" not in sections
    functions = run("nm", "--dynamic", "--defined-only", str(library))
    assert "Pg_magic_func" in functions and "_PG_init" in functions
    assert library.stat().st_size < 0.9 * LIBRARY.stat().st_size


def test_the_same_sources_make_the_same_package(package):
    file, _ = package
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    run(".ci/deb", PG_CONFIG)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before


def test_the_licence_of_every_crate_in_the_library_is_in_the_package(package):
    _, directory = package
    copyright = (directory / "usr/share/doc" / PACKAGE / "copyright").read_text()
    assert (ROOT / "LICENSE").read_text().strip() in copyright
    # Cargo's own word on what is linked.
    tree = run("cargo", "tree", "--locked", "--prefix=none", "--edges=normal,no-proc-macro", "--format={p}|{l}",
               "--no-default-features", f"--features=pg{MAJOR}")  # fmt: skip
    crates = {re.match(r"(\S+) v(\S+)[^|]*\|(.*?)( \(\*\))?$", line).group(1, 2, 3) for line in tree.splitlines() if line}
    crates = {crate for crate in crates if crate[0] != "layra_state"}
    assert len(crates) > 50
    summary = set(re.findall(r"^  (\S+) (\S+): (.+)$", copyright, re.MULTILINE))
    assert crates <= summary
    # Each stands before at least one text.
    texts = re.split(r"^-{78}$", copyright, flags=re.MULTILINE)[1:]
    covered = {tuple(name.split()) for text in texts for name in re.split(r", ?", text.strip().split(":\n", 1)[0].replace("\n", " "))}
    assert {(name, version) for name, version, _ in crates} <= covered
    # One crate's file has no more than the names of its two licences.
    assert all(len(text.split(":\n", 1)[1].strip()) >= len("MIT OR Apache-2.0") for text in texts)


LICENCES = {"agpl_3", "apache_1_1", "apache_2_0", "artistic_1", "artistic_2", "bsd", "freebsd", "gfdl_1_2", "gfdl_1_3", "gpl_1",
            "gpl_2", "gpl_3", "lgpl_2_1", "lgpl_3_0", "mit", "mozilla_1_0", "mozilla_1_1", "openssl", "perl_5", "postgresql",
            "qpl_1_0", "ssleay", "sun", "zlib", "open_source", "restricted", "unrestricted", "unknown"}  # fmt: skip
SEMVER = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[\w.-]+)?"


def test_the_meta_file_is_as_pgxn_specifies_it():
    """https://pgxn.org/spec, version 1.0.0."""
    required = {"name", "version", "abstract", "maintainer", "license", "provides", "meta-spec"}
    optional = {"description", "generated_by", "no_index", "prereqs", "release_status", "resources", "tags"}
    assert required <= set(META) <= required | optional
    assert re.fullmatch(r"[^\s/\\]{2,}", META["name"])
    assert re.fullmatch(SEMVER, META["version"])
    assert META["abstract"] and META["description"] and all(META["maintainer"])
    assert META["license"] in LICENCES
    assert META["release_status"] in {"stable", "testing", "unstable"}
    assert all(2 <= len(tag) <= 255 and not re.search(r"[/\\\x00-\x1f]", tag) for tag in META["tags"])
    assert re.fullmatch(r"1\.0\.\d+", META["meta-spec"]["version"])
    assert META["meta-spec"]["url"] in ("https://pgxn.org/meta/spec.txt", "http://pgxn.org/meta/spec.txt")
    for extension in META["provides"].values():
        assert {"file", "version"} <= set(extension) <= {"file", "version", "abstract", "docfile"}
        assert re.fullmatch(SEMVER, extension["version"])
        assert (ROOT / extension["file"]).is_file() and (ROOT / extension["docfile"]).is_file()
    for phase, relations in META["prereqs"].items():
        assert phase in {"configure", "build", "test", "runtime", "develop"}
        for relation, needs in relations.items():
            assert relation in {"requires", "recommends", "suggests", "conflicts"}
            assert all(re.fullmatch(SEMVER, version) for version in needs.values())
    assert set(META["resources"]) <= {"homepage", "bugtracker", "repository"} and META["resources"]
    assert re.fullmatch(r"https://\S+", META["resources"]["homepage"])
    assert set(META["no_index"]) <= {"file", "directory"}
    assert all((ROOT / path).exists() for paths in META["no_index"].values() for path in paths)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a distribution is made of what is committed")
def test_the_distribution_has_everything_below_one_directory():
    import zipfile

    run(".ci/dist")
    with zipfile.ZipFile(ROOT / f"target/layra_state-{VERSION}.zip") as archive:
        names = archive.namelist()
        directory = f"layra_state-{VERSION}/"
        assert all(name.startswith(directory) for name in names)
        committed = set(run("git", "ls-tree", "-r", "--name-only", "HEAD").splitlines())
        assert {name.removeprefix(directory) for name in names if not name.endswith("/")} == committed
        assert json.loads(archive.read(directory + "META.json"))["name"] == "layra_state"
