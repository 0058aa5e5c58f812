import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_voice.core.audio import SILENCE_FRAME
from mcp_voice.core.counts import Counts
from mcp_voice.core.events import EarFailed, Heard, Partial
from mcp_voice.core.events import Final as FinalWords
from mcp_voice.errors import BadGrammar, Invalid, NotConfigured, ProviderFailed
from mcp_voice.ports import EarConfig
from mcp_voice.providers.ear import LONGEST_UTTERANCE, ChildEar
from mcp_voice.providers.pocketsphinx import Pocketsphinx, certainty, fit, judge
from mcp_voice.providers.workers.messages import Decided
from tests.providers.conftest import skip_unless_installed
from tests.providers.sounds import TEXTS, utterance

pytestmark = pytest.mark.anyio

YES_NO: Final = EarConfig(phrases=("Yes, please!", "no thank you", "that is wrong"))
ROUTE: Final = """#JSGF V1.0;
grammar route;
// what the menu offers
public <Route> = [I would like to] (<Speak> | book a table) {go};
<Speak> = speak to a (Manager | waiter);
"""


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    skip_unless_installed("pocketsphinx")


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Pocketsphinx]:
    vendor = Pocketsphinx(Counts())
    yield vendor
    await vendor.aclose()


@asynccontextmanager
async def alone(counts: Counts | None = None, patience: float = 5.0) -> AsyncIterator[Pocketsphinx]:
    """A vendor with one child, for tests that hurt it."""
    vendor = Pocketsphinx(Counts() if counts is None else counts, children=1, patience=patience)
    try:
        yield vendor
    finally:
        await vendor.aclose()


async def until_final(ear: ChildEar) -> list[Heard]:
    """What an ear says up to its next final, or to the loss of an utterance."""
    heard: list[Heard] = []
    with anyio.fail_after(20):
        async for each in ear.heard():
            heard.append(each)
            if isinstance(each, FinalWords) or (isinstance(each, EarFailed) and not each.recovered):
                break
    return heard


async def said(vendor: Pocketsphinx, config: EarConfig, name: str) -> FinalWords:
    ear = await vendor.listen(config)
    ear.hear(utterance(name), onset=True)
    ear.finalize()
    final = (await until_final(ear))[-1]
    await ear.aclose()
    assert isinstance(final, FinalWords)
    return final


async def test_dictation_takes_down_a_clear_voice(shared: Pocketsphinx) -> None:
    final = await said(shared, EarConfig(), "tuesday-at-eight")

    assert final.text == TEXTS["tuesday-at-eight"]
    assert final.confidence is not None
    assert 0.2 < final.confidence < 1
    assert not final.rejected


async def test_a_grammar_is_followed(shared: Pocketsphinx) -> None:
    manager = await said(shared, EarConfig(grammar=ROUTE), "manager")
    table = await said(shared, EarConfig(grammar=ROUTE), "table")

    assert (manager.text, manager.rejected) == ("i would like to speak to a manager", False)
    assert (table.text, table.rejected) == ("i would like to book a table", False)


@pytest.mark.parametrize("name", ["menu", "wait-stop", "number", "cough"])
async def test_what_is_not_in_the_grammar_is_rejected(shared: Pocketsphinx, name: str) -> None:
    final = await said(shared, YES_NO, name)

    assert final.rejected
    assert final.confidence is not None
    assert final.confidence < 0.5


async def test_an_ear_may_be_stricter_than_the_others(shared: Pocketsphinx) -> None:
    strict = EarConfig(phrases=YES_NO.phrases, options={"threshold": -0.5})

    lenient, strictly = await said(shared, YES_NO, "yes"), await said(shared, strict, "yes")

    assert (lenient.text, lenient.rejected) == (strictly.text, False)
    assert strictly.rejected


async def test_ears_with_different_grammars_share_the_children(shared: Pocketsphinx) -> None:
    configs = [EarConfig(phrases=(TEXTS["yes"], f"room {number}")) for number in ("one", "two", "nine")] * 2

    texts = {(await said(shared, config, "yes")).text for config in configs}

    assert texts == {TEXTS["yes"]}


async def test_the_same_sound_gives_the_same_answer_whatever_came_before(shared: Pocketsphinx) -> None:
    first = await said(shared, YES_NO, "yes")
    for other in ("number", "menu"):
        await said(shared, YES_NO, other)

    again = await said(shared, YES_NO, "yes")

    assert (again.text, again.confidence) == (first.text, first.confidence)


async def test_words_that_are_not_in_the_dictionary_are_named(shared: Pocketsphinx) -> None:
    with pytest.raises(BadGrammar, match="no 'blorb', 'qwertyx'") as caught:
        await shared.listen(EarConfig(phrases=("yes qwertyx", "blorb")))

    assert caught.value.details == {"missing": ["blorb", "qwertyx"]}


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ("public <g> = yes | ( no;", "syntax error"),
        ("<g> = yes;", "No public rules"),
        ("public <g> = <g> yes | no;", "Only right-recursion is permitted"),
    ],
)
async def test_a_grammar_that_cannot_be_read_says_why(shared: Pocketsphinx, rules: str, why: str) -> None:
    with pytest.raises(BadGrammar, match=why):
        await shared.listen(EarConfig(grammar=f"#JSGF V1.0;\ngrammar g;\n{rules}\n"))


async def test_a_grammar_is_tried_on_while_somebody_speaks(shared: Pocketsphinx) -> None:
    async with alone() as vendor:
        ear = await vendor.listen(YES_NO)
        ear.hear(utterance("yes")[:9_600], onset=True)

        with pytest.raises(BadGrammar):
            await vendor.listen(EarConfig(phrases=("qwertyx",)))
        await vendor.listen(EarConfig(grammar=ROUTE))
        ear.hear(utterance("yes")[9_600:])
        ear.finalize()
        final = (await until_final(ear))[-1]

    assert isinstance(final, FinalWords)
    assert final.text == TEXTS["yes"]


@pytest.mark.parametrize(
    ("config", "error"),
    [
        (EarConfig(language="de-DE"), NotConfigured),
        (EarConfig(phrases=("yes",), grammar=ROUTE), BadGrammar),
        (EarConfig(options={"threshold": "low"}), Invalid),
        (EarConfig(options={"threshold": 1e9}), Invalid),
    ],
)
async def test_what_it_cannot_do_is_refused(
    shared: Pocketsphinx, config: EarConfig, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await shared.listen(config)


async def test_a_child_killed_in_mid_utterance_costs_no_word() -> None:
    counts = Counts()
    async with alone(counts) as vendor:
        ear = await vendor.listen(EarConfig(phrases=(TEXTS["for-four"], TEXTS["yes"])))
        sound = utterance("for-four")
        ear.hear(sound[:9_600], onset=True)
        first = await anext(aiter(ear.heard()))
        pid = vendor.pids[0]

        os.kill(pid, signal.SIGKILL)
        ear.hear(sound[9_600:])
        ear.finalize()
        heard = [each for each in await until_final(ear) if not isinstance(each, Partial)]

        assert isinstance(first, Partial)
        match heard:
            case [EarFailed(code="provider_failed", recovered=True), FinalWords(text=text, rejected=False)]:
                assert text == TEXTS["for-four"]
            case other:
                pytest.fail(f"heard {other}")
        assert vendor.pids != [pid]
        assert (ear.errors, counts.engine_restarts) == (1, {"pocketsphinx": 1})


async def test_an_utterance_that_kills_two_children_is_lost_and_the_next_is_not() -> None:
    async with alone() as vendor:
        ear = await vendor.listen(YES_NO)
        ear.hear(utterance("menu"), onset=True)

        heard: list[Heard] = []
        for _ in range(2):
            with anyio.fail_after(20):
                async for each in ear.heard():
                    heard.append(each)
                    if isinstance(each, Partial):
                        break
            os.kill(vendor.pids[0], signal.SIGKILL)
            heard.append(await anext(each async for each in ear.heard() if isinstance(each, EarFailed)))
        ear.hear(utterance("menu"))
        ear.finalize()
        ear.hear(utterance("yes"), onset=True)
        ear.finalize()
        final = (await until_final(ear))[-1]

        assert [each.recovered for each in heard if isinstance(each, EarFailed)] == [True, False]
        assert isinstance(final, FinalWords)
        assert final.text == TEXTS["yes"]
        assert ear.errors == 2


async def test_a_stopped_child_delays_nobody_and_is_replaced() -> None:
    async with alone(patience=3.0) as vendor:
        ear = await vendor.listen(YES_NO)
        pid = vendor.pids[0]
        os.kill(pid, signal.SIGSTOP)

        seconds = []
        sound = utterance("yes")
        for at in range(0, len(sound), 160):
            before = time.perf_counter()
            ear.hear(sound[at : at + 160], onset=at == 0)
            seconds.append(time.perf_counter() - before)
        ear.finalize()
        *_, failed, final = [each for each in await until_final(ear) if not isinstance(each, Partial)]

        assert sorted(seconds)[len(seconds) * 9 // 10] < 0.005
        assert max(seconds) < 0.1  # whoever else has the processor
        assert isinstance(failed, EarFailed)
        assert "did not answer within 3.0 s" in failed.why
        assert isinstance(final, FinalWords)
        assert final.text == TEXTS["yes"]
        assert vendor.pids != [pid]


async def test_the_loop_goes_on_while_words_are_decided(shared: Pocketsphinx) -> None:
    ear = await shared.listen(EarConfig())
    gaps: list[float] = []

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await anyio.sleep(0.001)
            gaps.append(time.perf_counter() - before)

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        ear.hear(utterance("manager"), onset=True)
        ear.finalize()
        heard = await until_final(ear)
        group.cancel_scope.cancel()
    await ear.aclose()

    final = heard[-1]
    assert isinstance(final, FinalWords)
    assert final.latency_ms is not None
    assert max(gaps) < final.latency_ms / 1_000 / 2


async def test_who_speaks_for_more_than_half_a_minute_is_taken_down_in_parts(shared: Pocketsphinx) -> None:
    ear = await shared.listen(YES_NO)
    long = utterance("yes") + SILENCE_FRAME * 1_600

    ear.hear(long[:LONGEST_UTTERANCE] + utterance("no"), onset=True)
    ear.finalize()
    first, second = (await until_final(ear))[-1], (await until_final(ear))[-1]
    await ear.aclose()

    assert isinstance(first, FinalWords)
    assert isinstance(second, FinalWords)
    assert (first.duration_ms, first.ends_turn) == (30_000, False)
    assert (second.text, second.ends_turn) == (TEXTS["no"], True)


async def test_an_ear_that_waits_keeps_a_minute_and_a_half_and_drops_the_oldest() -> None:
    async with alone() as vendor:
        speaking, waiting = await vendor.listen(YES_NO), await vendor.listen(YES_NO)
        speaking.hear(utterance("yes"), onset=True)
        await anext(aiter(speaking.heard()))

        waiting.hear(utterance("yes"), onset=True)
        waiting.finalize()
        await anyio.lowlevel.checkpoint()
        waiting.hear(bytes(5 * LONGEST_UTTERANCE))
        lost = await anext(aiter(waiting.heard()))
        speaking.finalize()
        await until_final(speaking)
        kept = (await until_final(waiting))[-1]

        assert isinstance(lost, EarFailed)
        assert (lost.code, lost.recovered) == ("limit_reached", False)
        assert isinstance(kept, FinalWords)
        assert kept.text == TEXTS["yes"]


async def test_closing_the_vendor_ends_its_ears_and_its_children() -> None:
    async with alone() as vendor:
        ear = await vendor.listen(YES_NO)
        (pid,) = vendor.pids

        await vendor.aclose()

        assert [each async for each in ear.heard()] == []
        assert not psutil.pid_exists(pid)
        with pytest.raises(ProviderFailed):
            await vendor.listen(YES_NO)


async def test_nothing_reaches_our_own_output(
    shared: Pocketsphinx, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadGrammar):
        await shared.listen(EarConfig(grammar="#JSGF V1.0; grammar g; public <g> = yes % no;"))
    with pytest.raises(BadGrammar):
        await shared.listen(EarConfig(grammar="#JSGF V1.0; grammar g; public <g> = yes | ;"))
    await said(shared, YES_NO, "menu")

    assert capfd.readouterr() == ("", "")


def test_without_its_package_it_says_how_to_get_it() -> None:
    class Missing(Pocketsphinx):
        package = "no_such_recogniser"

    with pytest.raises(NotConfigured, match=r"not installed: .*'no_such_recogniser'.* 'mcp-voice\[local\]'"):
        Missing(Counts())


@given(st.floats(-20, 0), st.floats(-20, 0))
def test_a_better_score_is_never_less_sure(one: float, other: float) -> None:
    worse, better = sorted((one, other))

    assert 0 <= fit(worse) <= fit(better) <= 1
    assert 0 <= certainty(worse) <= certainty(better) <= 1


def test_what_matched_no_grammar_is_rejected_and_no_dictation_is() -> None:
    assert judge(Decided("yes", None), -3.25) == (0.0, True)
    assert judge(Decided("", None), None) == (0.0, False)
    assert judge(Decided("yes", -3.5), -3.25)[1]
    assert not judge(Decided("yes", -3.0), -3.25)[1]
