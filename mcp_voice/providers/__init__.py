"""The vendors that hear and speak: one file each, imported when first asked for.

A vendor of somebody else's is an entry point of the group
`mcp_voice.providers`: a name, and a function that takes our `Counts` and
returns an object that hears (`ports.Hears`), speaks (`ports.Speaks`) or both.

    [project.entry-points."mcp_voice.providers"]
    parrot = "parrot.voice:Parrot"
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from mcp_voice.errors import NotConfigured, NotFound

if TYPE_CHECKING:  # an engine's process imports this package too, and needs none of it
    from importlib.metadata import EntryPoint

    from mcp_voice.core.counts import Counts
    from mcp_voice.ports import Hears, Speaks
    from mcp_voice.providers.cached import Cached, Phrases

GROUP: Final = "mcp_voice.providers"

BUILT_IN: Final[Mapping[str, tuple[str, str, frozenset[str]]]] = MappingProxyType(
    {
        "pocketsphinx": ("mcp_voice.providers.pocketsphinx", "Pocketsphinx", frozenset({"hears"})),
        "espeak": ("mcp_voice.providers.espeak", "Espeak", frozenset({"speaks"})),
    }
)
"""Each vendor's module and class, and what it does. A new vendor is a line here."""

PLANNED: Final = frozenset({"deepgram", "aws-transcribe", "google-cloud", "polly"})
"""Names that the documents use and this version has no vendor for."""

ALIASES: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("hears", "local"): "pocketsphinx",
        ("speaks", "local"): "espeak",
        ("hears", "aws"): "aws-transcribe",
        ("speaks", "aws"): "polly",
        ("hears", "google"): "google-cloud",
        ("speaks", "google"): "google-cloud",
    }
)


class Registry:
    """The vendors of this process (`ports.Providers`), one object each.

    `hears` and `speaks` name those that serve when nobody chooses; `also` are
    vendors at hand that nobody is told of. With `phrases` voices remember what
    they have said.
    """

    def __init__(
        self,
        counts: "Counts",
        *,
        hears: str = "pocketsphinx",
        speaks: str = "espeak",
        also: Mapping[str, Any] = MappingProxyType({}),
        phrases: "Phrases | None" = None,
    ) -> None:
        self._phrases = phrases
        self._cached: dict[str, Cached] = {}
        self._counts = counts
        self._defaults = {"hears": hears, "speaks": speaks}
        self._made: dict[str, Any] = {**also}

    def ear(self, name: str | None = None) -> "Hears":
        """Return a vendor that hears, or the default.

        Raises:
            NotFound: there is none of that name, or it does not hear.
            NotConfigured: it is not installed, or not part of this version.
        """
        return cast("Hears", self._find("hears", name))

    def voice(self, name: str | None = None) -> "Speaks":
        """Return a vendor that speaks, or the default. Raises as `ear` does."""
        voice = cast("Speaks", self._find("speaks", name))
        if self._phrases is None:
            return voice
        if voice.name not in self._cached:
            from mcp_voice.providers.cached import Cached

            self._cached[voice.name] = Cached(voice, self._phrases)
        return self._cached[voice.name]

    def names(self) -> Mapping[str, frozenset[str]]:
        """Map each vendor's name to what it does; somebody else's is imported to learn that."""
        built_in = {name: does for name, (_, _, does) in BUILT_IN.items()}
        return built_in | {name: self._does(name) for name in self._others if name not in built_in}

    async def aclose(self) -> None:
        """End every engine."""
        for cached in self._cached.values():
            await cached.aclose()
        self._cached.clear()
        for vendor in self._made.values():
            if hasattr(vendor, "aclose"):
                await vendor.aclose()
        self._made.clear()

    def _find(self, does: str, name: str | None) -> Any:
        wanted = name or self._defaults[does]
        own = ALIASES.get((does, wanted.lower()), wanted.lower())
        if own not in BUILT_IN and own not in self._made and own not in self._others:
            self._refuse(does, own, wanted)
        if own in BUILT_IN and does not in BUILT_IN[own][2]:
            self._refuse(does, own, wanted)
        vendor = self._make(own)
        if does not in _abilities(vendor):
            self._refuse(does, own, wanted)
        return vendor

    def _refuse(self, does: str, own: str, wanted: str) -> None:
        able = sorted(name for name, abilities in self.names().items() if does in abilities)
        advice = f"Use {' or '.join(map(repr, able)) or 'none: no such vendor is installed'}."
        if own in PLANNED:
            raise NotConfigured(f"The provider {wanted!r} is not part of this version.", advice=advice)
        raise NotFound(f"provider that {does}", wanted, advice=advice)

    def _make(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._factory(name)(self._counts)
        return self._made[name]

    def _factory(self, name: str) -> Callable[["Counts"], Any]:
        if name in BUILT_IN:
            module, kind, _ = BUILT_IN[name]
            made: Callable[[Counts], Any] = getattr(import_module(module), kind)
            return made
        try:
            loaded: Callable[[Counts], Any] = self._others[name].load()
        except (ImportError, AttributeError) as error:
            raise NotConfigured(
                f"The provider {name!r} cannot be loaded: {error}.", advice="Install it anew, or use another."
            ) from error
        return loaded

    def _does(self, name: str) -> frozenset[str]:
        try:
            return _abilities(self._make(name))
        except NotConfigured:
            return frozenset()

    @cached_property
    def _others(self) -> Mapping[str, "EntryPoint"]:
        from importlib.metadata import entry_points

        return {point.name.lower(): point for point in entry_points(group=GROUP)}


def _abilities(vendor: Any) -> frozenset[str]:
    methods = {"hears": "listen", "speaks": "speak"}
    return frozenset(does for does, method in methods.items() if hasattr(vendor, method))
