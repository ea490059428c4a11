"""Carries out the Dockerfile without an engine: every instruction in a clean Debian, then the service as it would run.

    sudo python3 docker/build/dry_run.py [--build-arg NAME=VALUE]... [--bind PATH]... [--env NAME]...

The base image is stood in for by debootstrap's Debian of the same release with that release's own Python, linked as
/usr/local/bin/python: its patch version and its size differ from the image named. Everything else is done as written:
each RUN in the layers below it, as root, in a chroot; COPY from the context that .dockerignore leaves; then CMD as the
image's USER, without capabilities, on a read-only root with a small /tmp and no network, until HEALTHCHECK succeeds and
a picture is read. Prints a Markdown table of layers, and what the trial saw. All mounts are in a namespace of its own
and are gone when this ends, however it ends.

Needs Linux, root and debootstrap (Debian or Ubuntu: apt-get install debootstrap).
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import dockerfile
import layers
import trial
from dockerfile import Instruction, Stage

ROOT: Final = Path(__file__).resolve().parents[2]
_INNER: Final = "QRESTORE_DRY_RUN_FOLDER"
_BASE: Final = re.compile(r"python:(?P<python>[\d.]+)-slim-(?P<release>[a-z]+)")
_PATH: Final = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_PACKAGES: Final = "ca-certificates,netbase,python3,python3-venv,tzdata"
_SLIM: Final = {  # what an image for engines says and debootstrap does not: keep no cache, no documentation
    "etc/apt/apt.conf.d/keep-little": (
        'Dir::Cache::pkgcache "";',
        'Dir::Cache::srcpkgcache "";',
        'Acquire::Languages "none";',
        'APT::Keep-Downloaded-Packages "false";',
        'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };',
    ),
    "etc/dpkg/dpkg.cfg.d/keep-little": (
        *(f"path-exclude /usr/share/{name}/*" for name in ("doc", "doc-base", "groff", "info", "locale", "man")),
        "path-include /usr/share/doc/*/copyright",
    ),
}
_PASSED_ON: Final = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class Row:
    stage: str
    instruction: str
    seconds: float
    size: int


@dataclass(slots=True)
class Built:
    """A stage in the making."""

    image: layers.Image
    arguments: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    health: dockerfile.Health | None = None

    @property
    def variables(self) -> dict[str, str]:
        return {**self.arguments, **self.image.environment}


class Builder:
    """Carries out stages in ``work``, an empty folder; `rows` is what it did."""

    def __init__(self, work: Path, base: Path, chosen: argparse.Namespace) -> None:
        self.rows: list[Row] = []
        self._work = work
        self._base = base
        self._arguments = dict(text.split("=", 1) for text in chosen.build_arg)
        self._lent = chosen.bind
        self._run_only = {name: os.environ[name] for name in (*_PASSED_ON, *chosen.env) if name in os.environ}
        self._ignore = dockerfile.Ignore((ROOT / ".dockerignore").read_text())
        self._stages: dict[str, Built] = {}

    def build(self, stages: list[Stage]) -> Built:
        """The last stage."""
        for stage in stages:
            built = Built(layers.Image([self._base], {"PATH": _PATH, "HOME": "/root"}))
            self._stages[stage.name] = built
            for instruction in stage.instructions:
                self._carry_out(stage.name, built, instruction)
        return built

    def _carry_out(self, stage: str, built: Built, instruction: Instruction) -> None:
        text, image = instruction.text, built.image
        match instruction.keyword:
            case "ARG":
                name, default = dockerfile.argument(text)
                built.arguments[name] = self._arguments.get(name, default)
            case "ENV":
                image.environment |= dockerfile.pairs(text, built.variables)
            case "USER":
                image.user = dockerfile.expand(text, built.variables)
            case "CMD":
                built.command = dockerfile.command(text)
            case "HEALTHCHECK":
                built.health = dockerfile.health(text)
            case "WORKDIR":
                image.folder = os.path.join(image.folder, dockerfile.expand(text, built.variables))
                with self._layer(stage, f"WORKDIR {text}", image) as root:
                    (root / image.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "COPY":
                with self._layer(stage, f"COPY {text}", image) as root:
                    self._copy(root, dockerfile.copying(text, built.variables), image)
            case "RUN":
                with self._layer(stage, f"RUN {text}", image) as root:
                    self._run(root, text, built)

    @contextmanager
    def _layer(self, stage: str, instruction: str, image: layers.Image) -> Iterator[Path]:
        sys.stderr.write(f"\n== {stage}: {instruction}\n")
        began = time.monotonic()
        layer = image.new_layer(self._work / f"{len(self.rows):02}")
        with image.mounted(self._work / "root", writable=True) as root:
            yield root
        self.rows.append(Row(stage, instruction, time.monotonic() - began, layers.size(layer)))

    def _run(self, root: Path, text: str, built: Built) -> None:
        layers.furnish(root, temporary="")
        with layers.lent(root, [Path("/etc/resolv.conf"), *self._lent]):
            environment = {**built.arguments, **self._run_only}
            status = layers.inside(root, built.image, ("/bin/sh", "-c", text), environment).wait()
        for mount in ("dev", "sys", "proc"):
            layers.call("umount", "--recursive", root / mount)
        if status != 0:
            raise trial.Failed(f"RUN ended with status {status}")

    def _copy(self, root: Path, wanted: dockerfile.Copy, image: layers.Image) -> None:
        target = root / os.path.join(image.folder, wanted.target).lstrip("/")
        into_folder = wanted.target.endswith("/") or len(wanted.sources) > 1
        with self._origin(wanted.stage) as origin:
            for name in wanted.sources:
                source = origin / name.lstrip("/")
                layers.copy(source, target / source.name if into_folder and source.is_file() else target)

    @contextmanager
    def _origin(self, stage: str) -> Iterator[Path]:
        """The root of another stage, or what .dockerignore leaves of the build context."""
        if stage:
            with self._stages[stage].image.mounted(self._work / "origin", writable=False) as root:
                yield root
            return
        context = self._work / "context"
        if not context.exists():
            for path in _files(ROOT):
                name = str(path.relative_to(ROOT))
                if not self._ignore.hides(name):
                    layers.copy(path, context / name)
        yield context


def _files(folder: Path) -> Iterator[Path]:
    """The files below a folder; not those of its repository or its virtual environment, which nobody may copy."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            if entry.name not in {".git", ".venv"}:
                yield from _files(entry)
        else:
            yield entry


def stand_in(image: str, base: Path) -> None:
    """Makes the stand-in for a base image in ``base``, unless it is there. Raises NotUnderstood for another image."""
    match = _BASE.fullmatch(image)
    if match is None:
        raise dockerfile.NotUnderstood(f"the base image {image}")
    if (base / "usr/local/bin/python").is_symlink():
        return
    layers.call("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", match["release"], base)
    for name in ("python", "python3"):
        (base / "usr/local/bin" / name).symlink_to("/usr/bin/python3")
    for kept in ("var/lib/apt/lists", "var/cache/apt"):
        shutil.rmtree(base / kept)
        (base / kept).mkdir()
    for name, lines in _SLIM.items():
        (base / name).write_text("".join(f"{line}\n" for line in lines))


def table(rows: list[Row]) -> str:
    lines = ["| stage | instruction | seconds | MB |", "|---|---|---|---|"]
    for row in rows:
        shown = row.instruction if len(row.instruction) <= 72 else f"{row.instruction[:71]}…"
        lines.append(
            f"| {row.stage} | `{shown.replace('|', chr(92) + '|')}` | {row.seconds:.1f} | {row.size / 1e6:.1f} |"
        )
    final = [row for row in rows if row.stage == rows[-1].stage]
    lines.append(
        f"| {rows[-1].stage} | all layers on top of the base image | | {sum(row.size for row in final) / 1e6:.1f} |"
    )
    return "\n".join(lines)


def dry_run(work: Path, chosen: argparse.Namespace) -> None:
    """Raises Failed, NotUnderstood, or CalledProcessError."""
    arguments: Mapping[str, str] = dict(text.split("=", 1) for text in chosen.build_arg)
    stages = dockerfile.parse((ROOT / "Dockerfile").read_text(), arguments)
    base = chosen.base or work / "base"
    for image in {stage.image for stage in stages}:
        stand_in(image, base)
    builder = Builder(work, base, chosen)
    built = builder.build(stages)
    _say(table(builder.rows))
    if built.health is None:
        raise trial.Failed("the image has no HEALTHCHECK")
    with built.image.mounted(work / "root", writable=False) as root:
        layers.furnish(root, temporary=chosen.tmpfs)
        seen = trial.attempt(
            root,
            built.image,
            built.command,
            built.health,
            picture=chosen.picture,
            text=chosen.text,
            rounds=chosen.rounds,
        )
    _say(f"\n{seen.told()}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--build-arg", action="append", default=[], metavar="NAME=VALUE", help="as `docker build` has it"
    )
    parser.add_argument(
        "--bind",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="a file or folder of this machine that every RUN sees, read-only, at the same path: pip's or apt's "
        "configuration, a folder of wheels",
    )
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME", help="a variable of this environment that every RUN sees"
    )
    parser.add_argument(
        "--base", type=Path, metavar="DIR", help="where the stand-in is made, and kept for the next time"
    )
    parser.add_argument("--picture", type=Path, default=ROOT / "docs/label.jpg", help="what the service is to read")
    parser.add_argument("--text", default="https://example.org/parcel/7F3K-2291-0C", help="the payload that it holds")
    parser.add_argument("--rounds", type=int, default=8, help="how often it is read")
    parser.add_argument("--tmpfs", default="16m", help="size of /tmp")
    return parser.parse_args()


def main() -> int:
    chosen = _arguments()
    inner = os.environ.pop(_INNER, "")
    if inner:
        try:
            dry_run(Path(inner), chosen)
        except (trial.Failed, dockerfile.NotUnderstood, subprocess.CalledProcessError) as exc:
            sys.stderr.write(f"\ndry run failed: {exc}\n")
            return 1
        return 0
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        sys.stderr.write("The dry run needs root and debootstrap (Debian or Ubuntu: apt-get install debootstrap).\n")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is below is cleared up
    work = Path(tempfile.mkdtemp(prefix="qrestore-image-"))
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, *sys.argv]
    try:
        return subprocess.run(command, env={**os.environ, _INNER: str(work)}, check=False).returncode  # noqa: S603
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    raise SystemExit(main())
