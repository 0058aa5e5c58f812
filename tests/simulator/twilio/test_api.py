"""The REST API over a real socket, with Twilio's own SDK and its own validator as the customer's side."""

import base64
import io
import wave
from typing import Any

import anyio
import httpx2
import pytest
from starlette.websockets import WebSocket
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from tests.simulator.servers import TONE
from tests.simulator.twilio.network import OURS, SID, SOMEBODY, response, somebody
from tests.simulator.twilio.shop import TOKEN, Here, Shop, Standing, messages, standing, until

OTHER = "+12025550143"
EVERY = ["initiated", "ringing", "answered", "completed"]
PAUSE = response("<Pause length='600'/>")
CONNECT = "<Connect><Stream url='SOCKET/media'><Parameter name='ticket' value='t1'/></Stream></Connect>"


async def test_the_sdk_has_a_whole_outbound_call_with_detection_transfer_and_hang_up() -> None:
    heard: list[dict[str, Any]] = []

    async def greet(socket: WebSocket) -> None:
        async for message in messages(socket):
            heard.append(message)
            if message["event"] == "start":
                sound = base64.b64encode(TONE).decode()
                await socket.send_json(
                    {"event": "media", "streamSid": message["streamSid"], "media": {"payload": sound}}
                )

    shop = Shop({"/voice": response(CONNECT)}, {"/media": greet})
    machine = somebody(rings=0, yields=False, states={"a": {"say": "Leave a message after the tone."}})
    async with standing(shop, {SOMEBODY: machine}) as stand:
        placed = await stand.sdk(
            stand.client.calls.create, to=SOMEBODY, from_=OURS, url=f"{shop.url}/voice",
            status_callback=f"{shop.url}/status", status_callback_event=EVERY, machine_detection="Enable",
            async_amd="true", async_amd_status_callback=f"{shop.url}/amd",
            machine_detection_speech_threshold=1000,
        )  # fmt: skip
        verdict = await shop.until("/amd")
        live = await stand.sdk(stand.client.calls(placed.sid).fetch)
        await stand.sdk(stand.client.calls(placed.sid).update, twiml=response(f"<Dial>{OTHER}</Dial>"))
        await until(lambda: len(stand.exchange.account.calls) == 2)
        (child,) = await stand.sdk(stand.client.calls.list, parent_call_sid=placed.sid)
        await stand.sdk(stand.client.calls(placed.sid).update, status="completed")
        await shop.until("/status", CallStatus="completed")
        over = await stand.sdk(stand.client.calls(child.sid).fetch)

    assert placed.status == "queued"
    assert (verdict["AnsweredBy"], live.answered_by, live.status) == (
        "machine_start",
        "machine_start",
        "in-progress",
    )
    assert [form["CallStatus"] for form in shop.of("/status")] == [
        "initiated",
        "ringing",
        "in-progress",
        "completed",
    ]
    assert (child.to, child.direction, over.status in ("completed", "canceled")) == (
        OTHER,
        "outbound-dial",
        True,
    )
    assert [message["event"] for message in heard[:2]] == ["connected", "start"]
    assert heard[1]["start"]["callSid"] == placed.sid
    assert heard[1]["start"]["customParameters"] == {"ticket": "t1"}
    assert heard[-1]["event"] == "stop"
    assert all(asking.genuine for asking in shop.asked)


async def test_webhooks_and_upgrades_are_signed_as_twilios_own_validator_wants_it() -> None:
    async def listen(socket: WebSocket) -> None:
        async for _ in messages(socket):
            pass

    shop = Shop(
        {
            "/voice": response("<Redirect method='GET'>/again?a=1&amp;b=2</Redirect>"),
            "/again": response(CONNECT),
        },
        {"/media": listen},
    )
    async with standing(shop) as stand:
        await stand.sdk(stand.client.calls.create, to=SOMEBODY, from_=OURS, url=f"{shop.url}/voice")
        await until(lambda: bool(shop.upgrades))

    url, headers = shop.upgrades[0]
    assert RequestValidator(TOKEN).validate(url, {}, headers["x-twilio-signature"])
    assert "origin" not in headers
    assert [(asking.path, asking.genuine) for asking in shop.asked] == [("/voice", True), ("/again", True)]
    assert len(shop.asked[0].headers["i-twilio-idempotency-token"]) == 32


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"to": "+15005550003"}, 21215),
        ({"from_": "+12025550199"}, 21210),
        ({"twiml": "x" * 4_001}, 20001),
        ({"to": "nobody"}, 21211),
    ],
)  # fmt: skip
async def test_the_sdk_understands_what_is_refused(how: dict[str, str], code: int) -> None:
    async with standing(Shop()) as stand:
        asked = {"to": SOMEBODY, "from_": OURS, "twiml": PAUSE, **how}

        assert await stand.refused(stand.client.calls.create, **asked) == code


async def test_who_is_not_the_account_is_turned_away() -> None:
    async with standing(Shop()) as stand:
        stranger = Client(SID, "wrong", http_client=Here(stand.base))
        other = Client("AC" + "9" * 32, TOKEN, http_client=Here(stand.base))

        codes = [await stand.refused(who.balance.fetch) for who in (stranger, other)]
        missing = await stand.refused(stand.client.calls("CA" + "0" * 32).fetch)

    assert (codes, missing) == ([20003, 20003], 20404)


async def test_what_is_no_form_or_no_address_has_twilios_error_body() -> None:
    async with standing(Shop()) as stand, httpx2.AsyncClient(auth=(SID, TOKEN)) as http:
        base = f"{stand.base}/2010-04-01/Accounts/{SID}"
        as_json = await http.post(f"{base}/Calls.json", json={"To": SOMEBODY})
        nowhere = await http.get(f"{base}/Nothing.json")
        wrong = await http.put(f"{base}/Calls.json")

    assert [answer.json()["code"] for answer in (as_json, nowhere, wrong)] == [20001, 20404, 20004]
    assert nowhere.json().keys() == {"code", "message", "more_info", "status"}


async def test_calls_are_listed_by_what_is_asked_for_in_pages() -> None:
    async with standing(Shop()) as stand:
        calls = stand.client.calls
        for to in (SOMEBODY, SOMEBODY, OTHER):
            await stand.sdk(calls.create, to=to, from_=OURS, twiml=PAUSE)
        await until(lambda: all(one.status == "in-progress" for one in stand.exchange.account.calls.values()))

        found = await stand.sdk(calls.list, to=SOMEBODY)
        paged = await stand.sdk(calls.list, page_size=2)
        busy = await stand.sdk(calls.list, status="busy")

    assert (len(found), len({call.sid for call in paged}), busy) == (2, 3, [])


async def test_a_conference_is_led_with_the_sdk() -> None:
    shop = Shop()
    async with standing(shop) as stand:
        calls, rooms = stand.client.calls, stand.client.conferences
        document = response("<Dial><Conference>desk</Conference></Dial>", "<Pause length='60'/>")
        caller = await stand.sdk(calls.create, to=SOMEBODY, from_=OURS, twiml=document)
        await until(lambda: bool(stand.exchange.account.conferences))
        added = await stand.sdk(
            rooms("desk").participants.create, from_=OURS, to=OTHER, label="cook",
            conference_status_callback=f"{shop.url}/room", conference_status_callback_event=["join", "hold"],
        )  # fmt: skip
        await until(lambda: stand.exchange.account.calls[added.call_sid].doing is not None)
        (room,) = await stand.sdk(rooms.list, friendly_name="desk", status="in-progress")
        held = await stand.sdk(rooms(room.sid).participants(caller.sid).update, hold=True)
        both = await stand.sdk(rooms(room.sid).participants.list)
        gone = await stand.sdk(rooms(room.sid).participants("cook").delete)
        ended = await stand.sdk(rooms(room.sid).update, status="completed")
        after = await stand.sdk(calls(caller.sid).fetch)

    assert (held.hold, len(both), gone, ended.status) == (True, 2, True, "completed")
    assert after.status == "in-progress"


async def test_a_call_is_recorded_and_the_sound_fetched() -> None:
    shop = Shop()
    async with standing(shop) as stand:
        placed = await stand.sdk(stand.client.calls.create, to=SOMEBODY, from_=OURS, twiml=PAUSE)
        await until(lambda: stand.exchange.account.calls[placed.sid].status == "in-progress")
        recordings = stand.client.calls(placed.sid).recordings
        begun = await stand.sdk(
            recordings.create, recording_channels="dual", recording_status_callback=f"{shop.url}/recording"
        )
        paused = await stand.sdk(recordings("Twilio.CURRENT").update, status="paused")
        stopped = await stand.sdk(recordings(begun.sid).update, status="stopped")
        told = await shop.until("/recording")
        async with httpx2.AsyncClient(auth=(SID, TOKEN)) as http:
            sound = await http.get(
                told["RecordingUrl"].replace("https://api.twilio.com", stand.base) + ".wav",
                params={"RequestedChannels": "2"},
            )

    assert (begun.status, paused.status, stopped.status) == ("in-progress", "paused", "completed")
    assert told["RecordingStatus"] == "completed"
    with wave.open(io.BytesIO(sound.content)) as reader:
        assert (reader.getnchannels(), reader.getframerate(), reader.getsampwidth()) == (2, 8000, 2)


async def test_a_numbers_webhook_is_set_and_asked_when_somebody_calls() -> None:
    shop = Shop({"/voice": PAUSE})
    async with standing(shop) as stand, httpx2.AsyncClient() as http:
        (number,) = await stand.sdk(stand.client.incoming_phone_numbers.list, phone_number=OURS)
        changed = await stand.sdk(number.update, voice_url=f"{shop.url}/voice")
        answer = await http.post(
            f"{stand.base}/simulate/incoming", data={"From": OTHER, "To": OURS, "persona": "guest"}
        )
        form = await shop.until("/voice")

    assert changed.voice_url == f"{shop.url}/voice"
    assert answer.status_code == 201
    assert (form["From"], form["CallSid"], form["CallStatus"]) == (OTHER, answer.json()["sid"], "ringing")


async def test_a_second_stream_of_a_call_begins_after_a_redirect() -> None:
    starts: list[dict[str, Any]] = []

    async def once(socket: WebSocket) -> None:
        async for message in messages(socket):
            if message["event"] == "start":
                starts.append(message["start"])
                if len(starts) == 1:
                    await socket.close()
                    return

    again = response(CONNECT, "<Redirect>/voice</Redirect>")
    shop = Shop({"/voice": again}, {"/media": once})
    async with standing(shop) as stand:
        await stand.sdk(stand.client.calls.create, to=SOMEBODY, from_=OURS, url=f"{shop.url}/voice")
        await until(lambda: len(starts) == 2)

    assert starts[0]["callSid"] == starts[1]["callSid"]
    assert starts[0]["streamSid"] != starts[1]["streamSid"]


async def test_a_socket_that_cannot_be_opened_is_an_error_and_the_next_verb_is_done() -> None:
    stream = "<Connect><Stream url='SOCKET/nowhere' statusCallback='/stream'/></Connect>"
    shop = Shop(
        {
            "/voice": response(stream.replace("/stream", "URL/stream"), "<Redirect>/after</Redirect>"),
            "/after": PAUSE,
        }
    )
    async with standing(shop) as stand:
        shop.pages["/voice"] = str(shop.pages["/voice"]).replace("URL", shop.url)
        await stand.sdk(stand.client.calls.create, to=SOMEBODY, from_=OURS, url=f"{shop.url}/voice")
        told = await shop.until("/stream")
        await shop.until("/after")

        assert told["StreamEvent"] == "stream-error"
        assert "403" in told["StreamError"]
        assert [alert.code for _, alert in stand.exchange.account.alerts] == [31920]


async def test_a_stream_that_only_listens_has_both_tracks_and_is_stopped_by_name() -> None:
    heard: list[dict[str, Any]] = []

    async def listen(socket: WebSocket) -> None:
        async for message in messages(socket):
            heard.append(message)

    shop = Shop(on={"/media": listen})
    async with standing(shop) as stand:
        placed = await stand.sdk(stand.client.calls.create, to=SOMEBODY, from_=OURS, twiml=PAUSE)
        await until(lambda: stand.exchange.account.calls[placed.sid].status == "in-progress")
        streams = stand.client.calls(placed.sid).streams
        await stand.sdk(
            streams.create, url=f"{shop.wss}/media", name="tap", track="both_tracks",
            parameter1_name="who", parameter1_value="me",
        )  # fmt: skip
        await until(lambda: len(heard) > 6)
        stopped = await stand.sdk(streams("tap").update, status="stopped")
        await until(lambda: heard[-1]["event"] == "stop")

    assert stopped.status == "stopped"
    assert heard[1]["start"]["tracks"] == ["inbound", "outbound"]
    assert heard[1]["start"]["customParameters"] == {"who": "me"}
    assert {message["media"]["track"] for message in heard if message["event"] == "media"} == {
        "inbound",
        "outbound",
    }


async def test_faults_of_webhooks_can_be_switched_on() -> None:
    shop = Shop()

    async def one(stand: Standing, fault: str) -> list[Any]:
        shop.asked.clear()
        async with httpx2.AsyncClient() as http:
            await http.post(
                f"{stand.base}/simulate/faults",
                json={"duplicate": False, "reorder": False, "forge": False, fault: True},
            )
        await stand.sdk(
            stand.client.calls.create, to=SOMEBODY, from_=OURS, twiml=response("<Hangup/>"),
            status_callback=f"{shop.url}/{fault}", status_callback_event=EVERY,
        )  # fmt: skip
        await shop.until(f"/{fault}", CallStatus="completed")
        await anyio.sleep(0.1)
        return [asking for asking in shop.asked if asking.path == f"/{fault}"]

    async with standing(shop) as stand:
        twice, swapped, forged = [await one(stand, fault) for fault in ("duplicate", "reorder", "forge")]

    tokens = [asking.headers["i-twilio-idempotency-token"] for asking in twice]
    assert (len(twice), len(set(tokens))) == (8, 4)
    assert [asking.form["SequenceNumber"] for asking in swapped] == ["1", "0", "3", "2"]
    assert {asking.genuine for asking in forged} == {False}


async def test_a_persona_talks_and_hangs_up_on_the_stream() -> None:
    heard: list[str] = []

    async def listen(socket: WebSocket) -> None:
        async for message in messages(socket):
            heard.append(message["event"])

    brief = somebody(rings=0, states={"a": {"say": "Wrong number.", "hang_up": True}})
    shop = Shop({"/voice": response(CONNECT)}, {"/media": listen})
    async with standing(shop, {SOMEBODY: brief}) as stand:
        await stand.sdk(
            stand.client.calls.create, to=SOMEBODY, from_=OURS, url=f"{shop.url}/voice",
            status_callback=f"{shop.url}/status",
        )  # fmt: skip
        ended = await shop.until("/status")

    assert (ended["CallStatus"], heard[-1]) == ("completed", "stop")


async def test_the_api_can_be_busy_and_lose_the_answer_to_what_it_has_done() -> None:
    async with standing(Shop()) as stand, httpx2.AsyncClient() as http:
        create = stand.client.calls.create
        how = {"to": SOMEBODY, "from_": OURS, "twiml": PAUSE}
        codes, placed = [], []
        for trouble in ({"code": 20429}, {"code": 20500, "after": True}, {"seconds": 0.05}):
            answer = await http.post(f"{stand.base}/simulate/troubles", json=trouble)
            assert answer.json() == {"pending": 1}
            codes.append(await stand.refused(create, **how))
            placed.append(len(stand.exchange.account.calls))
        wrong = await http.post(f"{stand.base}/simulate/troubles", json={"code": 1})

    assert (codes, placed) == ([20429, 20500, 0], [0, 1, 2])
    assert wrong.status_code == 400
