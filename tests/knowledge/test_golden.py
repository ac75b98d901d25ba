"""Which passage comes first for which question; and which questions find none."""

import pytest

from app.knowledge.service import KnowledgeService

_GATE = 0.3  # coverage below which a caller should say that it found nothing

_ENGLISH = [
    ("how does Harbour resume a dropped connection?", "guide.md#when-the-connection-drops"),
    ("what happens if my wifi drops?", "guide.md#when-the-connection-drops"),
    ("How do I install it?", "guide.md#install"),
    ("what is a session?", "concepts.md#concepts"),
    ("What is a node", "concepts.md#concepts"),
    ("when does a session expire", "concepts.md#sessions-and-time"),
    ("can sessions be extended?", "concepts.md#sessions-and-time"),
    ("will my conversations survive a restart?", "guide.md#restarting-the-server"),
    ("what happens when redis is lost?", "operations.md#when-redis-is-lost"),
    ("which environment variable sets the port", "operations.md#settings"),
    ("how do I log in?", "guide.md#signing-in"),
    ("how are memories ranked?", "concepts.md#memory"),
    ("how do I erase my data", "guide.md#deleting-your-data"),
    ("how many nodes can I run behind a load balancer?", "operations.md#several-nodes"),
    ("where do I see prometheus metrics", "operations.md#metrics"),
    ("what does the supervisor do", "concepts.md#teams"),
]

_KOREAN_OVER_ENGLISH = [
    ("연결이 끊기면 어떻게 되나요?", "guide.md#when-the-connection-drops"),
    ("끊어진 연결은 어떻게 이어지나요?", "guide.md#when-the-connection-drops"),
    ("어떻게 설치하나요?", "guide.md#install"),
    ("세션이 뭐야?", "concepts.md#concepts"),
    ("세션은 언제 만료되나요?", "concepts.md#sessions-and-time"),
    ("서버를 재시작하면 대화가 사라지나요?", "guide.md#restarting-the-server"),
    ("레디스가 유실되면 어떻게 되나요", "operations.md#when-redis-is-lost"),
    ("포트 설정은 어떻게 바꾸나요?", "operations.md#settings"),
    ("로그인은 어떻게 해요?", "guide.md#signing-in"),
    ("기억은 어떻게 동작해?", "concepts.md#memory"),
    ("계정을 삭제하고 싶어요", "guide.md#deleting-your-data"),
    ("여러 노드를 실행할 수 있나요?", "operations.md#several-nodes"),
    ("백업하는 방법 알려줘", "operations.md#backups"),
]

_KOREAN_OVER_KOREAN = [
    ("요금제가 얼마예요?", "korean.md#요금제"),
    ("결제는 어떻게 하나요", "korean.md#요금제"),
    ("상담원은 몇 시까지 답변하나요?", "korean.md#고객-지원"),
    ("파일을 첨부할 때 크기 제한이 있나요?", "korean.md#첨부-파일"),
]

_FOREIGN = [
    "what is the capital of France?",
    "how do I cook pasta for six people",
    "who won the world cup in 1998",
    "recommend a restaurant near the station",
    "오늘 점심 뭐 먹지?",
    "서울 날씨 알려줘",
    "프랑스의 수도는 어디인가요?",
]


@pytest.mark.parametrize(
    ("question", "source"), [*_ENGLISH, *_KOREAN_OVER_ENGLISH, *_KOREAN_OVER_KOREAN]
)
async def test_the_right_passage_comes_first(
    harbour: KnowledgeService, question: str, source: str
) -> None:
    found = await harbour.search(question, limit=5)
    assert [passage.source for passage in found][:1] == [source]
    assert found[0].coverage >= _GATE
    assert 0 < found[0].score <= 1


@pytest.mark.parametrize("question", _FOREIGN)
async def test_a_question_about_something_else_is_hardly_covered(
    harbour: KnowledgeService, question: str
) -> None:
    found = await harbour.search(question, limit=5)
    assert all(passage.coverage < _GATE for passage in found)
