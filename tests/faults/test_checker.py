"""The checker finds each kind of wrong, and nothing in what is right."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.faults import checker
from tests.faults.evidence import Evidence, Verdict
from tests.faults.journal import Frame, Journal
from tests.faults.rows import MessageRow, Rows, RunRow
from tests.faults.script import Script

CHAT = "chat"
SCRIPT = Script("one", ("say:4",), seed=7)
QUESTION, ANSWER, RUN = "question", "answer", "run"
PIECES = [SCRIPT.said(number, number + 1) for number in range(4)]


def _event(offset: int, type_: str, **fields: Any) -> Frame:
    return {"type": type_, "offset": offset, "key": f"k{offset}", "run_id": RUN, **fields}


def _delta(offset: int, chunk: int, text: str, attempt: int = 1) -> Frame:
    fields = {"message_id": ANSWER, "chunk": chunk, "text": text, "attempt": attempt}
    return _event(offset, "message_delta", **fields)


EVENTS = [
    _event(1, "user_message", message_id=QUESTION, client_message_id="c1", text=SCRIPT.question),
    _event(2, "run_started", attempt=1),
    _event(3, "message_started", message_id=ANSWER, attempt=1),
    *(_delta(4 + number, number, piece) for number, piece in enumerate(PIECES)),
    _event(
        8,
        "message_completed",
        message_id=ANSWER,
        attempt=1,
        text=SCRIPT.text,
        status="complete",
        sha256=hashlib.sha256(SCRIPT.text.encode()).hexdigest(),
    ),
    _event(9, "run_completed", attempt=1),
]


def _snapshot(offset: int, **fields: Any) -> Frame:
    empty: Frame = {"messages": [], "runs": [], "ended": []}
    return {"type": "snapshot", "epoch": "e", "offset": offset, "key": None, **empty, **fields}


@dataclass
class Story:
    """What two tabs saw of one answer; tests change it before it is judged."""

    first: list[tuple[str, Frame]] = field(default_factory=list)
    second: list[tuple[str, Frame]] = field(default_factory=list)
    elsewhere: list[tuple[str, Frame]] = field(default_factory=list)
    """What a tab saw of another chat."""
    messages: list[MessageRow] = field(default_factory=list)
    runs: list[RunRow] = field(default_factory=list)

    @classmethod
    def good(cls) -> "Story":
        """One tab sees it all at once; the other asks, is cut off in the middle, resumes."""
        welcome: Frame = {"epoch": "e", "resumed": False, "reason": "first", "replay": 0}
        entered = [("welcome", welcome), ("snapshot", _snapshot(0)), ("live", {"offset": 0})]
        seen = [("applied", event) for event in EVENTS]
        query = {"type": "query", "query": SCRIPT.question, "client_message_id": "c1"}
        ack = {"message_id": QUESTION, "run_id": RUN, "client_message_id": "c1"}
        resumed: Frame = {"epoch": "e", "resumed": True, "replay": 2}
        again = [("closed", {"code": 1006}), ("welcome", resumed), *seen[5:7]]
        again.append(("live", {"offset": 7}))
        asked = [("sent", query), ("ack", ack)]
        question = MessageRow(QUESTION, CHAT, 1, "user", SCRIPT.question, "complete", RUN, "c1")
        answer = MessageRow(ANSWER, CHAT, 2, "assistant", SCRIPT.text, "complete", RUN, None)
        run = RunRow(RUN, CHAT, QUESTION, ANSWER, "completed", 1, 1, None, None, True, True)
        return cls(
            [*entered, *seen],
            [*entered, *asked, *seen[:5], *again, *seen[7:]],
            list(entered),
            [question, answer],
            [run],
        )

    def evidence(self) -> Evidence:
        journal = Journal()
        for tab, chat, entries in (
            ("a", CHAT, self.first),
            ("b", CHAT, self.second),
            ("c", "elsewhere", self.elsewhere),
        ):
            for kind, data in entries:
                journal.note(kind, data, chat=chat, tab=tab)
        return Evidence(journal, Rows(self.messages, self.runs, 0))

    def swap(self, offset: int, **fields: Any) -> None:
        """Let the first tab have seen another event at ``offset``."""
        place = self._place(offset)
        kind, event = self.first[place]
        self.first[place] = (kind, {**event, **fields})

    def _place(self, offset: int) -> int:
        kinds = enumerate(self.first)
        return next(at for at, (k, one) in kinds if k == "applied" and one["offset"] == offset)


def _hole(story: Story) -> None:
    del story.first[story._place(5)]


def _gap_sent(story: Story) -> None:
    story.first.insert(4, ("gap", EVENTS[3]))


def _sent_again(story: Story) -> None:
    story.first.insert(8, ("old", EVENTS[3]))


def _told_again(story: Story) -> None:
    """At the end of the log; it does not matter to the reducer."""
    story.first.append(("applied", {**EVENTS[0], "offset": 10}))


def _chunk_again(story: Story) -> None:
    story.swap(6, chunk=1)


def _other_event(story: Story) -> None:
    story.swap(5, key="another")


def _other_body(story: Story) -> None:
    story.swap(5, text="another ")


def _screen_without_answer(story: Story) -> None:
    story.swap(8, type="custom")


def _wrong_snapshot(story: Story) -> None:
    """A third way in, whose snapshot forgot the question."""
    story.first += [("welcome", {"epoch": "e", "resumed": False, "reason": "too_far", "replay": 0})]
    story.first += [("snapshot", _snapshot(7)), ("live", {"offset": 7})]
    story.first += [("applied", event) for event in EVENTS[7:]]


def _other_row(story: Story) -> None:
    story.messages[1] = story.messages[1]._replace(text=SCRIPT.text[:-2])


def _words_nobody_said(story: Story) -> None:
    story.swap(6, text="hallucinated ")


def _words_left_out(story: Story) -> None:
    story.swap(6, chunk=3)


def _wrong_hash(story: Story) -> None:
    story.swap(8, sha256="0")


def _two_answers_to_one_message(story: Story) -> None:
    ack = {"message_id": "other", "run_id": "other", "client_message_id": "c1"}
    story.second.append(("ack", ack))


def _stored_twice(story: Story) -> None:
    story.messages.append(story.messages[0]._replace(id="twin", seq=3))


def _two_runs(story: Story) -> None:
    story.runs.append(story.runs[0]._replace(id="twin"))


def _lost_message(story: Story) -> None:
    del story.messages[0]


def _run_goes_on(story: Story) -> None:
    story.runs[0] = story.runs[0]._replace(status="running", is_ended=False)


def _two_ends(story: Story) -> None:
    story.first.append(("applied", _event(10, "run_failed", attempt=1)))


def _other_end(story: Story) -> None:
    story.runs[0] = story.runs[0]._replace(status="failed")


def _zombie(story: Story) -> None:
    story.swap(5, attempt=2)


def _resumed_elsewhere(story: Story) -> None:
    place = next(at for at, (kind, one) in enumerate(story.second) if one.get("resumed"))
    story.second[place] = ("welcome", {"epoch": "f", "resumed": True, "replay": 2})


def _less_than_promised(story: Story) -> None:
    place = next(at for at, (kind, one) in enumerate(story.second) if one.get("resumed"))
    story.second[place] = ("welcome", {"epoch": "e", "resumed": True, "replay": 3})


def _live_too_early(story: Story) -> None:
    place = max(at for at, (kind, _) in enumerate(story.second) if kind == "live")
    story.second[place] = ("live", {"offset": 9})


def _foreign_run(story: Story) -> None:
    story.elsewhere.append(("applied", {**EVENTS[1], "offset": 1, "key": "another"}))


def _foreign_message(story: Story) -> None:
    message = {"message_id": QUESTION, "role": "user", "text": "", "status": "", "run_id": ""}
    story.elsewhere[1] = ("snapshot", _snapshot(0, messages=[message]))


def _foreign_words(story: Story) -> None:
    """Not even applied."""
    story.elsewhere.append(("old", {**EVENTS[3], "run_id": "unknown", "key": "another"}))


def _foreign_title(story: Story) -> None:
    """It names nobody; only that it was told elsewhere shows whose it is."""
    title = {"type": "title_changed", "offset": 1, "key": "title", "title": "Secret"}
    story.first.append(("applied", {**title, "offset": 10}))
    story.elsewhere.append(("applied", title))


def _foreign_chat(story: Story) -> None:
    kind, welcome = story.elsewhere[0]
    story.elsewhere[0] = (kind, {**welcome, "chat_id": CHAT})


@pytest.mark.parametrize(
    ("invariant", "spoil"),
    [
        ("I1", _hole),
        ("I1", _gap_sent),
        ("I2", _sent_again),
        ("I2", _told_again),
        ("I2", _chunk_again),
        ("I3", _other_event),
        ("I3", _other_body),
        ("I4", _screen_without_answer),
        ("I4", _wrong_snapshot),
        ("I5", _other_row),
        ("I5", _words_nobody_said),
        ("I5", _words_left_out),
        ("I5", _wrong_hash),
        ("I6", _two_answers_to_one_message),
        ("I6", _stored_twice),
        ("I6", _two_runs),
        ("I7", _lost_message),
        ("I8", _run_goes_on),
        ("I8", _two_ends),
        ("I8", _other_end),
        ("I9", _zombie),
        ("I11", _resumed_elsewhere),
        ("I11", _less_than_promised),
        ("I11", _live_too_early),
        ("I12", _foreign_run),
        ("I12", _foreign_message),
        ("I12", _foreign_words),
        ("I12", _foreign_title),
        ("I12", _foreign_chat),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__.strip("_"),
)
def test_what_is_wrong_is_found(invariant: str, spoil: Callable[[Story], None]) -> None:
    story = Story.good()
    spoil(story)

    broken = {verdict.invariant for verdict in _judged(story) if verdict.violations}

    assert invariant in broken


def test_what_is_right_is_right_and_every_check_has_looked() -> None:
    verdicts = _judged(Story.good())

    assert [violation for verdict in verdicts for violation in verdict.violations] == []
    assert all(verdict.checks for verdict in verdicts)


@pytest.mark.parametrize(("reason", "is_right"), [("rewound", True), ("too_far", False)])
def test_numbers_may_come_again_only_to_a_client_that_is_told_so(
    reason: str, is_right: bool
) -> None:
    story = Story.good()
    other = [{**event, "key": f"new{event['offset']}"} for event in EVENTS]
    entered = {"epoch": "e", "resumed": False, "reason": reason, "replay": 0}
    question = story.messages[0]
    view = {
        "message_id": question.id,
        "role": "user",
        "text": question.text,
        "status": "complete",
        "run_id": RUN,
    }
    run = {"run_id": RUN, "status": "running", "attempt": 1, "partial": None}
    held = [one for one in story.first if one[1].get("offset", 0) <= 7]
    snapshot = _snapshot(2, messages=[view], runs=[run])
    story.first = [*held, ("welcome", entered), ("snapshot", snapshot), ("live", {"offset": 2})]
    story.first += [("applied", event) for event in other[2:]]
    story.second = [
        (kind, other[one["offset"] - 1] if kind == "applied" else one) for kind, one in story.second
    ]

    assert (checker.i3_agreement(story.evidence()).violations == []) is is_right


def test_a_snapshot_of_a_log_that_was_lost_need_not_lead_to_the_end() -> None:
    """What came after the loss is told in another numbering, and shows in other snapshots."""
    story = Story.good()
    story.messages.append(MessageRow("late", CHAT, 3, "user", "hello", "complete", "late", "c2"))
    views = [
        {name: getattr(row, name) for name in ("role", "text", "status", "run_id")}
        | {"message_id": row.id}
        for row in story.messages
    ]
    entered = {"epoch": "f", "resumed": False, "reason": "epoch", "replay": 0}
    snapshot = {**_snapshot(0, messages=views), "epoch": "f"}
    again = [("welcome", entered), ("snapshot", snapshot), ("live", {"offset": 0})]
    story.first += again
    story.second += again

    assert checker.i4_equivalence(story.evidence()).violations == []


@pytest.mark.parametrize(("lacking", "is_right"), [(3, True), (4, False)])
def test_words_may_lack_after_a_loss_until_the_owner_has_repeated_them(
    lacking: int, is_right: bool
) -> None:
    story = Story.good()
    entered = {"epoch": "e", "resumed": False, "reason": "ahead", "replay": 0}
    partial = {"text": PIECES[0], "chunk": 0}
    run = {"run_id": RUN, "status": "running", "attempt": 1, "partial": partial}
    story.first = [*story.first[:7], ("welcome", entered), ("snapshot", _snapshot(4, runs=[run]))]
    story.first += [("live", {"offset": 4})]
    story.first += [("applied", _delta(5 + place, 2 + place, "…")) for place in range(lacking)]

    assert (checker.i5_text(story.evidence()).violations == []) is is_right


def _judged(story: Story) -> list[Verdict]:
    return checker.check_all(story.evidence())
