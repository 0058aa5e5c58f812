"""pocketsphinx: ears that need no account, no key and no network.

US English only. Its model comes with the package and was made for wide-band
sound, so over a telephone it is right with a grammar and a guess without one:
give `phrases` or a JSGF `grammar` whenever it is known what the caller may say.

The engine holds the interpreter for whole calls, so it runs in child processes
(`workers/hearing.py`, `ear.py`).
"""

import asyncio
import os
from functools import partial
from math import exp
from typing import Final

import msgspec

from mcp_voice.core.counts import Counts
from mcp_voice.errors import BadGrammar, Invalid, NotConfigured
from mcp_voice.ports import EarConfig
from mcp_voice.providers.ear import ChildEar
from mcp_voice.providers.engine import Engine
from mcp_voice.providers.extras import require
from mcp_voice.providers.grammar import Grammar
from mcp_voice.providers.pool import Pool
from mcp_voice.providers.workers.messages import Decided, HearingReply, Prepare, Prepared

MODULE: Final = "mcp_voice.providers.workers.hearing"
THRESHOLD: Final = -3.25
"""Below this mean log score an answer is rejected. 80 of 96 right ones passed, and 3 of 144 wrong ones."""
LOWEST: Final = -20.0
STEEPNESS: Final = 2.0


def fit(score: float, threshold: float = THRESHOLD) -> float:
    """Map a grammar's mean log score to a confidence: a logistic curve, 0.5 at the rejection threshold.

    Answers that are right lie around -2.2 (0.89), sounds that fit no phrase
    around -4.9 (0.04). It tells speech that fits from speech that does not, and
    cannot tell a "five" from a "nine" that was heard as one.

    >>> fit(-3.25), fit(-2.2)
    (0.5, 0.891)
    """
    return round(1 / (1 + exp(STEEPNESS * (threshold - score))), 3)


def certainty(score: float) -> float:
    """Map dictation's mean log posterior to a confidence: the geometric mean of the words' probabilities.

    Utterances that were right lay between 0.3 and 0.96, wrong ones between 0.16
    and 0.76 (its correlation with the word error rate is -0.6; that of the
    grammar's score would be -0.3).

    >>> certainty(0.0), certainty(-0.69)
    (1.0, 0.502)
    """
    return round(exp(score), 3)


def judge(decided: Decided, threshold: float | None) -> tuple[float, bool]:
    """Return how sure an answer is, and whether it is rejected; dictation (no threshold) rejects none."""
    if decided.score is None or not decided.text:
        return 0.0, threshold is not None
    if threshold is None:
        return certainty(decided.score), False
    return fit(decided.score, threshold), decided.score < threshold


class Pocketsphinx:
    """The vendor: a pool of children, as many as there are processors, two at most.

    `patience` is how long a child may be silent, in seconds, when it has work
    that takes a fraction of that; twice the utterance's length is added for the
    final pass.
    """

    name = "pocketsphinx"
    package = "pocketsphinx"
    continuous = False

    def __init__(
        self,
        counts: Counts,
        *,
        children: int | None = None,
        threshold: float = THRESHOLD,
        patience: float = 10.0,
    ) -> None:
        require(self.package, f"The ear {self.name!r}")
        replies = msgspec.msgpack.Decoder(HearingReply)
        number = children or min(2, os.cpu_count() or 1)
        self._pool: Pool[HearingReply] = Pool(
            [Engine(self.name, MODULE, replies, counts) for _ in range(number)]
        )
        self._threshold = threshold
        self._patience = patience
        self._ears: set[ChildEar] = set()

    @property
    def pids(self) -> list[int]:
        """The processes of the children that are up."""
        return [engine.pid for engine in self._pool.engines if engine.pid]

    async def listen(self, config: EarConfig) -> ChildEar:
        """Open an ear; the first one starts a child, 0.3 s, 0.8 s for dictation.

        `config.options["threshold"]` is this ear's own rejection threshold.

        Raises:
            NotConfigured: the language is not English.
            BadGrammar: a word is not in the dictionary, or the grammar cannot be read.
            Invalid: the threshold is not a number in reach.
            ProviderFailed: no child starts.
        """
        if config.language.lower().replace("_", "-").split("-")[0] != "en":
            raise NotConfigured(
                f"The ear {self.name!r} hears English only, not {config.language!r}.",
                advice="Use language 'en-US', or another provider.",
            )
        threshold = config.options.get("threshold", self._threshold)
        if not isinstance(threshold, int | float) or not LOWEST <= threshold <= 0:
            raise Invalid(f"The threshold {threshold!r} is not a number from {LOWEST} to 0.")
        grammar = _grammar(config)
        await self._prepare(grammar)
        ear = ChildEar(
            self._pool,
            grammar.jsgf if grammar else None,
            partial(judge, threshold=float(threshold) if grammar else None),
            patience=self._patience,
        )
        self._ears.add(ear)
        ear.when_closed(self._ears.discard)
        return ear

    async def aclose(self) -> None:
        """Close the ears that are open, and end every child."""
        await asyncio.gather(*(ear.aclose() for ear in tuple(self._ears)))
        await self._pool.aclose()

    async def _prepare(self, grammar: Grammar | None) -> None:
        child = await self._pool.any.child()
        with child.open() as job:
            job.send(Prepare(grammar.jsgf, grammar.words) if grammar else Prepare(None, ()))
            job.expect(2 * self._patience)
            match (await job.receive())[0]:
                case Prepared(missing, _) if missing:
                    raise BadGrammar(
                        f"The recogniser's dictionary has no {', '.join(map(repr, missing[:10]))}.",
                        missing=list(missing),
                    )
                case Prepared(_, fault) if fault:
                    raise BadGrammar(f"The grammar cannot be read: {fault}.")


def _grammar(config: EarConfig) -> Grammar | None:
    if config.grammar is not None and config.phrases:
        raise BadGrammar("There are both phrases and a grammar.", advice="Give one of them.")
    if config.grammar is not None:
        return Grammar.of_jsgf(config.grammar)
    return Grammar.of_phrases(config.phrases) if config.phrases else None
