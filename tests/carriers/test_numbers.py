"""The account's numbers, what is left in it, and what goes on beside its calls."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from mcp_voice.carriers.twilio.account import Account as TwilioAccount
from mcp_voice.carriers.twilio.account import Balance, Standing
from mcp_voice.carriers.twilio.beside import Beside
from mcp_voice.carriers.twilio.conferences import Conferences
from mcp_voice.carriers.twilio.numbers import Hooks, Leases, Numbers
from mcp_voice.carriers.twilio.rest import Patience, TwilioRest
from mcp_voice.errors import CarrierFailed, Invalid, NotFound, Refused, StoreFailed, Unconfirmed
from tests.carriers.account import ACCOUNT, FROM, TOKEN, Account, Misfortune, an_account
from tests.carriers.rooms import ROOM

OURS: Final = Hooks(
    "https://voice.example.com/twilio/voice", "POST", "https://voice.example.com/twilio/fallback"
)
PN: Final = "PN" + "4" * 32


@asynccontextmanager
async def at_twilio(*calls: str) -> AsyncIterator[tuple[Account, TwilioRest]]:
    async with an_account(*calls) as account:
        account.numbers[PN] = {
            "sid": PN, "phone_number": FROM, "friendly_name": "Front desk", "capabilities": {"voice": True},
            "voice_url": "https://old.example.com/", "voice_method": "GET", "voice_fallback_url": None,
        }  # fmt: skip
        async with aclosing(
            TwilioRest(ACCOUNT, TOKEN, account.url, patience=Patience(2, 0.01, 0.01))
        ) as rest:
            yield account, rest


async def test_a_number_that_is_leased_gets_back_what_was_there(tmp_path: Path) -> None:
    async with at_twilio() as (_, rest):
        leases = Leases(Numbers(rest), tmp_path / "new" / "leases.json")
        was = await Numbers(rest).find(FROM)

        await leases.take(FROM, OURS)
        taken = await Numbers(rest).read(PN)
        states = [await leases.state(FROM), await leases.release(FROM)]

        assert taken.hooks == OURS
        assert states == ["held", "returned"]
        assert await Numbers(rest).read(PN) == was
        assert await leases.all() == {}
    assert (was.name, was.voice) == ("Front desk", True)


async def test_a_lease_outlives_the_process_and_its_renewal(tmp_path: Path) -> None:
    file = tmp_path / "leases.json"
    async with at_twilio() as (account, rest):
        await Leases(Numbers(rest), file).take(FROM, Hooks("https://first.example.com"))
        await Leases(Numbers(rest), file).take(FROM, OURS)
        await Leases(Numbers(rest), file).release(FROM)

    assert account.numbers[PN]["voice_url"] == "https://old.example.com/"
    assert file.stat().st_mode & 0o077 == 0


async def test_what_somebody_else_has_set_meanwhile_stays(tmp_path: Path) -> None:
    async with at_twilio() as (account, rest):
        leases = Leases(Numbers(rest), tmp_path / "leases.json")
        await leases.take(FROM, OURS)
        account.numbers[PN]["voice_url"] = "https://theirs.example.com"

        with pytest.raises(Refused, match="elsewhere"):
            await leases.take(FROM, OURS)
        states = [await leases.state(FROM), await leases.release(FROM)]

    assert states == ["drifted", "drifted"]
    assert account.numbers[PN]["voice_url"] == "https://theirs.example.com"


async def test_a_number_that_is_not_ours_is_not_taken(tmp_path: Path) -> None:
    async with at_twilio() as (_, rest):
        leases = Leases(Numbers(rest), tmp_path / "leases.json")

        with pytest.raises(NotFound, match="number of the account"):
            await leases.take("+15005550009", OURS)
        with pytest.raises(NotFound, match="leased number"):
            await leases.release(FROM)
        (tmp_path / "leases.json").write_text("{]")
        with pytest.raises(StoreFailed, match="not a list"):
            await leases.take(FROM, OURS)


async def test_an_account_says_what_is_left_and_whether_it_is_a_trial() -> None:
    async with at_twilio() as (account, rest):
        assert await TwilioAccount(rest).standing() == Standing("active", trial=True)
        assert await TwilioAccount(rest).balance() == Balance(Decimal("12.34"), "USD")
        account.raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        with pytest.raises(CarrierFailed, match="no balance"):
            await TwilioAccount(rest).balance()


async def test_a_stream_is_begun_beside_a_call_and_stopped() -> None:
    async with at_twilio("CA1") as (account, rest):
        beside = Beside(rest)
        url = "wss://voice.example.com/x"
        sid = await beside.start("Streams", "CA1", {"a": "b"}, url=url, track="both_tracks")
        await beside.stop("Streams", "CA1", sid)
        await beside.stop("Siprec", "CA404", "SR1")
        with pytest.raises(Invalid, match="wss"):
            await beside.start("Streams", "CA1", url="https://voice.example.com")
        with pytest.raises(NotFound):
            await beside.start("Transcriptions", "CA404", partial_results=True)

    assert account.asked[0].form == {
        "Url": [url], "Track": ["both_tracks"], "Parameter1.Name": ["a"], "Parameter1.Value": ["b"],
    }  # fmt: skip
    assert (account.asked[1].path, account.asked[1].form) == (
        f"Calls/CA1/Streams/{sid}.json", {"Status": ["stopped"]},
    )  # fmt: skip


async def test_a_recording_is_begun_paused_and_stopped() -> None:
    async with at_twilio("CA1") as (account, rest):
        beside = Beside(rest)
        await beside.record("CA1", recording_channels="dual")
        await beside.recording("CA1", "paused")
        await beside.recording("CA1", "stopped")
        await beside.delete("RE404")
        with pytest.raises(NotFound, match="recording"):
            await beside.recording("CA404", "paused")

    assert [asked.form for asked in account.asked[:3]] == [
        {"RecordingChannels": ["dual"]},
        {"Status": ["paused"], "PauseBehavior": ["silence"]},
        {"Status": ["stopped"]},
    ]
    assert account.asked[1].path == "Calls/CA1/Recordings/Twilio.CURRENT.json"


async def test_a_recordings_audio_is_fetched() -> None:
    async with at_twilio() as (account, rest):
        account.raw = b"HTTP/1.1 200 OK\r\nContent-Type: audio/x-wav\r\nContent-Length: 4\r\n\r\nRIFF"

        assert await Beside(rest).media("RE1", dual=True) == b"RIFF"

    assert (account.asked[0].path, account.asked[0].form) == (
        "Recordings/RE1.wav",
        {"RequestedChannels": ["2"]},
    )


async def test_people_are_brought_into_a_conference_and_sent_out() -> None:
    async with at_twilio() as (account, rest):
        conferences = Conferences(rest)
        await conferences.add("room 1", "+14155550123", FROM, "ada", timeout=20, muted=True)
        sid = await conferences.find("room 1")
        assert sid == ROOM
        await conferences.change(sid, "ada", hold=True)
        held = await conferences.people(sid)
        await conferences.remove(sid, "ada")
        await conferences.remove(sid, "ada")
        await conferences.end(sid)

    assert [(one.label, one.hold) for one in held] == [("ada", True)]
    assert (account.rooms.people, account.rooms.ended) == ({}, True)


@pytest.mark.parametrize(("done", "rung"), [(True, 1), (False, 0)])
async def test_a_guest_is_rung_once_whatever_becomes_of_the_answer(done: bool, rung: int) -> None:
    async with at_twilio() as (account, rest):
        account.fate = lambda asked: Misfortune(done, "reset") if asked.method == "POST" else None
        conferences = Conferences(rest)

        found: Any = None
        try:
            found = await conferences.add("room", "+14155550123", FROM, "ada")
        except Unconfirmed as error:
            found = error

    assert len(account.rooms.people) == rung
    assert len([asked for asked in account.asked if asked.method == "POST"]) == 1
    assert isinstance(found, Unconfirmed) is not done
