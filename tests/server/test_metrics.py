from dataclasses import fields

from prometheus_client.parser import text_string_to_metric_families

from mcp_voice.core.counts import Counts
from mcp_voice.server.metrics import Page


def read(counts: Counts) -> dict[str, float]:
    families = text_string_to_metric_families(Page(counts).text().decode())
    return {
        sample.name
        + "".join(f"[{label}={value}]" for label, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_every_count_is_published_under_the_documents_name() -> None:
    counts = Counts()
    names = {family.name for family in text_string_to_metric_families(Page(counts).text().decode())}

    for field in fields(counts):
        name = field.metadata["name"].replace(".", "_")
        assert name.removesuffix("_total") in names


def test_counters_end_in_one_total_and_gauges_in_none() -> None:
    samples = read(Counts(calls=3, calls_active=1, sessions_created=2))

    assert samples["twilio_calls_total"] == 3
    assert samples["twilio_calls_active"] == 1
    assert samples["voice_session_created_total"] == 2
    assert not [name for name in samples if "total_total" in name]


def test_counts_by_something_have_a_label() -> None:
    counts = Counts()
    counts.tool_calls["session.get"] += 2
    counts.tool_calls["tts.cancel"] += 1

    samples = read(counts)

    assert samples["mcp_tool_calls_total[tool=session.get]"] == 2
    assert samples["mcp_tool_calls_total[tool=tts.cancel]"] == 1


def test_a_bucket_holds_those_below_it_too() -> None:
    counts = Counts()
    for milliseconds in (50.0, 51.0, 100.0, 90_000.0):
        counts.turn_ms.observe(milliseconds)

    samples = read(counts)

    name = "voice_turn_duration_ms"
    assert [samples[f"{name}_bucket[le={bound}]"] for bound in ("50.0", "100.0", "5000.0", "+Inf")] == [
        1,
        3,
        3,
        4,
    ]
    assert samples[f"{name}_count"] == 4
    assert samples[f"{name}_sum"] == 90_201


def test_the_process_tells_about_itself() -> None:
    assert read(Counts())["process_resident_memory_bytes"] > 0
