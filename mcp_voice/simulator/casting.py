"""Where personas are found: those that come with the product, and folders of yours.

A folder's personas are its `*.yaml` files, by the files' names. A folder that is
named later is asked first, so a persona of yours may take the place of one here.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from mcp_voice.errors import Invalid, NotFound
from mcp_voice.simulator.persona import Persona

OURS: Final = Path(__file__).parent / "personas"
ENDINGS: Final = (".yaml", ".yml")
PREFIX: Final = "sim:"
"""Before a persona's name, it is an address that can be called."""

_ADVICE: Final = "Correct the file; `mcp-voice simulate people --help` says what may be in it."


def people(folders: Iterable[Path] = ()) -> Mapping[str, Path]:
    """Return the persona files by name.

    Raises `NotFound` for a folder that is not there.
    """
    found: dict[str, Path] = {}
    for folder in (OURS, *folders):
        if not folder.is_dir():
            raise NotFound("folder of personas", str(folder), advice="Name a folder with *.yaml files.")
        found |= {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in ENDINGS}
    return dict(sorted(found.items()))


def cast(name: str, folders: Sequence[Path] = ()) -> Persona:
    """Return a persona: `restaurant`, or `sim:restaurant`.

    Raises:
        NotFound: there is none of that name; the sentence names those there are.
        Invalid: its file cannot be used.
    """
    known = people(folders)
    path = known.get(name.removeprefix(PREFIX))
    if path is None:
        raise NotFound("simulated person", name, advice=f"There are {', '.join(known)}.")
    return read(path)


def scenario(name: str, folders: Sequence[Path] = ()) -> tuple[str, Persona]:
    """Return a scenario's name and persona: a file's, or the one of that name. Raises as `cast` does."""
    path = Path(name)
    if path.suffix not in ENDINGS:
        return name.removeprefix(PREFIX), cast(name, folders)
    if not path.is_file():
        raise NotFound("persona file", name, advice="Name a file, or a persona that there is.")
    return path.stem, read(path)


def read(path: Path) -> Persona:
    """Read a persona's file. Raises `Invalid`, naming the file, the place in it, and what is wrong there."""
    import yaml

    try:
        # Every scalar is taken as it is written: `yes`, `no` and `1` are things that people say and press.
        written: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or "it is not text in UTF-8"
        raise Invalid(f"{path}{where}: this is not YAML: {why}.", advice=_ADVICE) from None
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.", advice=_ADVICE) from None
    if not isinstance(written, dict):
        raise Invalid(f"{path}: a persona is a mapping with `description` and `states`.", advice=_ADVICE)
    try:
        return Persona.model_validate(written)
    except ValidationError as error:
        raise Invalid(f"{path}: {_faults(error)}.", advice=_ADVICE) from None


def _faults(error: ValidationError) -> str:
    said = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        place = ""
        for step in fault["loc"]:
            place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else step
        what = fault["msg"].removeprefix("Value error, ").rstrip(".")
        if fault["type"] == "extra_forbidden":
            what = "there is no such field"
        said.append(f"{place}: {what}" if place else what)
    return "; ".join(said)
