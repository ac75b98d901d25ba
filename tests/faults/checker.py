"""Judges what clients saw against what must hold: invariants I1 to I9, I11, and of I12 that
nobody is sent what is another chat's. Pure functions.

I10 (memory), I12 (isolation in time), I13 (leaks) and I14 (codes) are measured by the
scenarios that are about them.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from app.protocol.events import RUN_ENDS
from tests.faults.evidence import Evidence, Verdict, held_events
from tests.faults.journal import Entry, Frame, Journal
from tests.faults.reducer import State, first_of
from tests.faults.rows import Rows
from tests.faults.script import Script


def i1_order(evidence: Evidence) -> Verdict:
    """Offsets are applied without hole, without going back, unless a snapshot stands between."""
    verdict = Verdict("I1")
    for tab, entries in evidence.tabs.items():
        held: int | None = None
        for entry in entries:
            if entry.kind == "snapshot":
                held = entry.data["offset"]
            elif entry.kind == "gap":
                verdict.check(False, f"{tab} held {held} and was sent {_named(entry.data)}")
            elif entry.kind == "applied":
                first = first_of(entry.data)
                follows = held is not None and first == held + 1
                verdict.check(follows, f"{tab} held {held} and applied {_named(entry.data)}")
                held = entry.data["offset"]
    return verdict


def i2_once(evidence: Evidence) -> Verdict:
    """No event is applied twice, under one number or two; none is even sent twice. No chunk is
    applied twice.
    """
    verdict = Verdict("I2")
    for tab, entries in evidence.tabs.items():
        offsets: set[int] = set()
        keys: set[str] = set()
        chunks: set[tuple[str, int, int]] = set()
        for entry in entries:
            event = entry.data
            if entry.kind == "snapshot":
                offsets.clear()
                keys.clear()
                chunks.clear()
            elif entry.kind == "old":
                verdict.check(False, f"{tab} was sent {_named(event)} again")
            elif entry.kind == "applied":
                new = range(first_of(event), event["offset"] + 1)
                verdict.check(offsets.isdisjoint(new), f"{tab} applied {_named(event)} twice")
                offsets.update(new)
                known = event["key"] in keys
                verdict.check(not known, f"{tab} applied {_named(event)} under another number, too")
                keys.add(event["key"])
                if event["type"] == "message_delta":
                    first = event["from_chunk"] if "from_chunk" in event else event["chunk"]
                    pieces = {
                        (event["message_id"], event["attempt"], chunk)
                        for chunk in range(first, event["chunk"] + 1)
                    }
                    verdict.check(
                        chunks.isdisjoint(pieces), f"{tab} applied a chunk of {_named(event)} twice"
                    )
                    chunks |= pieces
    return verdict


def i3_agreement(evidence: Evidence) -> Verdict:
    """Two clients that hold the same epoch and offset hold the same event."""
    verdict = Verdict("I3")
    keys: dict[tuple[str, str, int], tuple[str, str]] = {}
    bodies: dict[tuple[str, str, int], Frame] = {}
    for tab, entries in evidence.tabs.items():
        for chat, epoch, event in held_events(entries):
            place = (chat, epoch, event["offset"])
            key, who = keys.setdefault(place, (event["key"], tab))
            verdict.check(
                key == event["key"], f"at {place} {who} holds {key}, {tab} {_named(event)}"
            )
            if "from" not in event:
                body = {name: value for name, value in event.items() if name != "replayed"}
                same = bodies.setdefault(place, body) == body
                verdict.check(same, f"at {place} two clients hold two events: {_named(event)}")
    return verdict


def i4_equivalence(evidence: Evidence) -> Verdict:
    """A snapshot and what follows it lead where every other way leads, and to Postgres."""
    verdict = Verdict("I4")
    wanted = _stored(evidence.rows)
    for tab, entries in evidence.tabs.items():
        state, epoch, offset = State(), "", 0
        for entry in entries:
            if entry.kind == "snapshot":
                state = State.of(entry.data)
                epoch, offset = entry.data["epoch"], entry.data["offset"]
            elif entry.kind == "applied":
                state.apply(entry.data)
                offset = entry.data["offset"]
        if _has_given_up(entries):
            told = evidence.told.get((entries[0].chat, epoch), {})
            is_last = epoch == evidence.newest_epoch.get(entries[0].chat) and offset in told
            if not is_last or offset < max(told) or state.runs:
                continue  # more was said when it was away
        _compare(verdict, tab, state, wanted[entries[0].chat])
    # each snapshot on the way, continued with what others were told
    for tab, entries in evidence.tabs.items():
        for entry in entries:
            if entry.kind != "snapshot":
                continue
            is_old = entry.data["epoch"] != evidence.newest_epoch[entry.chat]
            if is_old or entry.at < evidence.lost_at.get(entry.chat, 0.0):
                continue  # that log was lost, and what came after is told in another
            events = evidence.told.get((entry.chat, entry.data["epoch"]), {})
            state, offset = State.of(entry.data), entry.data["offset"]
            while (offset := offset + 1) in events:
                state.apply(events[offset])
            if events and offset - 1 == max(events) and not state.runs:
                name = f"{tab}'s snapshot at {entry.data['offset']}"
                _compare(verdict, name, state, wanted[entry.chat])
    return verdict


def i5_text(evidence: Evidence) -> Verdict:
    """The final text is the scripted one, in the row and on every screen; so is every part."""
    verdict = Verdict("I5")
    for row in evidence.rows.messages:
        script = evidence.scripts.get(row.run_id)
        if row.role != "assistant" or script is None:
            continue
        whole = row.status == "complete"
        right = row.text == script.text if whole else row.text in script.text
        verdict.check(right, f"the row of run {row.run_id} is not what its script says")
    for tab, entries in evidence.tabs.items():
        state = State()
        torn = 0  # words that came one after the other, and something lacks before them
        for entry in entries:
            if entry.kind == "snapshot":
                state = State.of(entry.data)
                for run_id in state.runs:
                    _check_partial(verdict, tab, evidence.scripts.get(run_id), state, run_id)
            elif entry.kind == "applied":
                _check_text(verdict, evidence, tab, state, entry.data)
                state.apply(entry.data)
                if entry.data["type"] == "message_delta":
                    run = state.runs.get(entry.data["run_id"])
                    whole = run is None or run.partial is None or run.partial.chunk is not None
                    torn = 0 if whole else torn + 1
                    allowed = _TORN if entry.chat in evidence.lost_at else 0
                    verdict.check(torn <= allowed, f"{tab} lacks words before {_named(entry.data)}")
    return verdict


def i6_one_effect(evidence: Evidence) -> Verdict:
    """For each client message id there is one message and at most one run."""
    verdict = Verdict("I6")
    acked: defaultdict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for entry in evidence.journal.of("ack"):
        if entry.data["client_message_id"] is not None and "message_id" in entry.data:
            answer = (entry.data["message_id"], entry.data["run_id"])
            acked[entry.chat, entry.data["client_message_id"]].add(answer)
    for place, answers in acked.items():
        verdict.check(len(answers) == 1, f"{place} was acknowledged as {answers}")
    told: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in evidence.journal.of("applied"):
        if entry.data["type"] == "user_message" and entry.data["client_message_id"] is not None:
            told[entry.chat, entry.data["client_message_id"]].add(entry.data["message_id"])
    for place, messages in told.items():
        verdict.check(len(messages) == 1, f"{place} was told as {messages}")
    rows = Counter(
        (row.chat_id, row.client_message_id)
        for row in evidence.rows.messages
        if row.client_message_id is not None
    )
    for place, count in rows.items():
        verdict.check(count == 1, f"{place} is stored {count} times")
    questions = Counter(run.message_id for run in evidence.rows.runs)
    for message, count in questions.items():
        verdict.check(count == 1, f"message {message} has {count} runs")
    return verdict


def i7_acknowledged(evidence: Evidence) -> Verdict:
    """Every acknowledged message is in Postgres, as it was sent."""
    verdict = Verdict("I7")
    stored = {row.id: row.text for row in evidence.rows.messages}
    sent: dict[str, str] = {}
    for entry in evidence.journal.entries:
        if entry.kind == "sent" and entry.data["type"] == "query":
            sent[entry.data.get("client_message_id", "")] = entry.data["query"]
        elif entry.kind == "ack" and "message_id" in entry.data:
            text = sent.get(entry.data["client_message_id"])
            kept = stored.get(entry.data["message_id"])
            verdict.check(
                kept is not None and text in {None, kept},
                f"{entry.tab}: message {entry.data['message_id']} was acknowledged and is lost",
            )
    return verdict


def i8_end(evidence: Evidence) -> Verdict:
    """Each run has exactly one end, and it is the same in Postgres and on every screen."""
    verdict = Verdict("I8")
    told: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for entry in evidence.journal.of("applied"):
        if entry.data["type"] in RUN_ENDS:
            told[entry.data["run_id"]].add((entry.data["type"], entry.data["key"]))
    for run in evidence.rows.runs:
        verdict.check(run.is_ended, f"run {run.id} is still {run.status}")
        verdict.check(run.lease_owner is None, f"run {run.id} has ended and has an owner")
        ends = told.pop(run.id, set())
        verdict.check(len(ends) <= 1, f"run {run.id} was told to have ended as {ends}")
        for type_, _ in ends:
            same = type_ == f"run_{run.status}"
            verdict.check(same, f"run {run.id} is {run.status}, and {type_} was told")
    for run_id in told:
        verdict.check(False, f"an end was told of run {run_id}, which is not stored")
    return verdict


def i9_fencing(evidence: Evidence) -> Verdict:
    """After the first event of an attempt there is none of an earlier one."""
    verdict = Verdict("I9")
    for tab, entries in evidence.tabs.items():
        newest: dict[str, int] = {}
        for entry in entries:
            if entry.kind == "snapshot":
                newest = {run["run_id"]: run["attempt"] for run in entry.data["runs"]}
            elif entry.kind == "applied" and "attempt" in entry.data:
                run_id, attempt = entry.data["run_id"], entry.data["attempt"]
                known = newest.get(run_id, 0)
                verdict.check(
                    attempt >= known,
                    f"{tab} applied {_named(entry.data)} of attempt {attempt} after {known}",
                )
                newest[run_id] = max(known, attempt)
    return verdict


def i11_honesty(evidence: Evidence) -> Verdict:
    """``resumed`` is said only where the replay leads from what was held to ``live``."""
    verdict = Verdict("I11")
    for tab, entries in evidence.tabs.items():
        held: Frame | None = None  # what the tab has: epoch, offset
        resuming: Frame | None = None  # a welcome that said so
        replayed = 0
        for entry in entries:
            match entry.kind:
                case "welcome":
                    replayed, resuming = 0, entry.data if entry.data["resumed"] else None
                    if resuming is not None:
                        same = held is not None and held["epoch"] == resuming["epoch"]
                        verdict.check(same, f"{tab} resumed in another epoch than it held: {held}")
                case "snapshot":
                    verdict.check(resuming is None, f"{tab} resumed and was sent a snapshot")
                    held = {name: entry.data[name] for name in ("epoch", "offset")}
                case "applied" if held is not None:
                    held = {**held, "offset": entry.data["offset"]}
                    replayed += 1
                case "live" if resuming is not None:
                    reached = held is not None and held["offset"] == entry.data["offset"]
                    verdict.check(reached, f"{tab} is live at {entry.data['offset']}, has {held}")
                    verdict.check(
                        replayed == resuming["replay"],
                        f"{tab} was promised {resuming['replay']} events and got {replayed}",
                    )
                    resuming = None
                case _:
                    pass
    return verdict


def i12_isolation(evidence: Evidence) -> Verdict:
    """Whatever a client was sent, applied or not, belongs to its chat: what is named in it is
    that chat's in Postgres, and the event was told in no other chat.
    """
    verdict = Verdict("I12")
    told_in: dict[str, str] = {}
    for tab, entries in evidence.tabs.items():
        for entry in entries:
            if entry.kind not in _SENT_TO_CLIENTS:
                continue
            chat, who = entry.chat, f"{tab}, of chat {entry.chat},"
            for id_ in _ids_in(entry.data):
                whose = evidence.chat_of.get(id_)
                verdict.check(whose == chat, f"{who} was sent {id_} of chat {whose}")
            if "key" in entry.data and "offset" in entry.data and entry.data["key"] is not None:
                first = told_in.setdefault(entry.data["key"], chat)
                verdict.check(first == chat, f"{who} was sent an event of chat {first}")
    return verdict


_SENT_TO_CLIENTS = {"welcome", "snapshot", "applied", "old", "gap", "ack"}
_NAMES = ("chat_id", "run_id", "message_id")
_PARTS = ("chat", "messages", "runs", "ended", "events", "partial")  # of a snapshot

_TORN = 3  # a run's next append shows that the log has lost words; the one after repeats them

CHECKS: list[Callable[[Evidence], Verdict]] = [
    i1_order,
    i2_once,
    i3_agreement,
    i4_equivalence,
    i5_text,
    i6_one_effect,
    i7_acknowledged,
    i8_end,
    i9_fencing,
    i11_honesty,
    i12_isolation,
]


def check_all(evidence: Evidence) -> list[Verdict]:
    return [check(evidence) for check in CHECKS]


def check_journal(journal: Journal) -> list[Verdict]:
    """Judge what can be judged before everything is at rest, and without Postgres."""
    evidence = Evidence(journal, Rows([], [], 0))
    checks = (i1_order, i2_once, i3_agreement, i6_one_effect, i9_fencing, i11_honesty)
    return [check(evidence) for check in checks]


def _named(event: Frame) -> str:
    return f"{event['offset']} {event['type']}"


def _ids_in(frame: Frame) -> Iterator[str]:
    """Yield the chats, runs and messages that a frame names, and so do its parts."""
    yield from (frame[name] for name in _NAMES if name in frame)
    for name in _PARTS:
        part = frame.get(name) or []
        for one in [part] if isinstance(part, dict) else part:
            yield from _ids_in(one)


def _has_given_up(entries: list[Entry]) -> bool:
    """Whether a tab was away at the end, for good."""
    kinds = [entry.kind for entry in entries if entry.kind in {"live", "closed", "left"}]
    return not kinds or kinds[-1] != "live"


class _Screen(NamedTuple):
    """What a page shows, or should: each message's role, text, status and run; ends of runs."""

    messages: dict[str, tuple[str, str, str, str]]
    ends: dict[str, str]


def _stored(rows: Rows) -> defaultdict[str, _Screen]:
    screens: defaultdict[str, _Screen] = defaultdict(lambda: _Screen({}, {}))
    for row in rows.messages:
        fields = (row.role, row.text, row.status, row.run_id)
        screens[row.chat_id].messages[row.id] = fields
    for run in rows.runs:
        screens[run.chat_id].ends[run.id] = run.status
    return screens


def _compare(verdict: Verdict, who: str, state: State, wanted: _Screen) -> None:
    shown = {
        id_: (one.role, one.text, one.status, one.run_id) for id_, one in state.messages.items()
    }
    latest = wanted.messages
    if state.is_page:
        latest = dict(list(latest.items())[-len(shown) :])
    wrong = [id_ for id_ in shown.keys() | latest.keys() if shown.get(id_) != latest.get(id_)]
    verdict.check(not wrong, f"{who} shows other messages than Postgres: {wrong}")
    others = {run: end for run, end in state.ends.items() if wanted.ends.get(run) != end}
    verdict.check(not others, f"{who} shows other ends than Postgres: {others}")
    verdict.check(not state.runs, f"{who} shows runs that go on: {state.runs}")


def _check_text(verdict: Verdict, evidence: Evidence, tab: str, state: State, event: Frame) -> None:
    script = evidence.scripts.get(event.get("run_id", ""))
    if event["type"] == "message_completed":
        digest = hashlib.sha256(event["text"].encode()).hexdigest()
        verdict.check(digest == event["sha256"], f"{tab}: the hash of {_named(event)} is wrong")
        if script is not None and event["status"] == "complete":
            verdict.check(event["text"] == script.text, f"{tab}: {_named(event)} has another text")
        _check_partial(verdict, tab, script, state, event["run_id"])


def _check_partial(
    verdict: Verdict, tab: str, script: Script | None, state: State, run_id: str
) -> None:
    """What was streamed is part of what is scripted; a first attempt's is its beginning."""
    partial, run = state.partial_of(run_id), state.runs.get(run_id)
    if script is None or run is None:
        return
    right = script.text.startswith(partial) if run.attempt <= 1 else partial in script.text
    verdict.check(right, f"{tab} holds words of run {run_id} that its script does not say")
