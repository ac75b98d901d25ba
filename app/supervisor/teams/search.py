"""The search team: looks things up in the ingested documents and quotes them."""

from app.supervisor.context import Context
from app.supervisor.offline.passages import quote
from app.supervisor.offline.types import Language, Passage, TeamResult


async def search(task: str, *, language: Language, context: Context) -> TeamResult:
    """Return the best passages for ``task`` as quoted sentences with their sources.

    Raises:
        Unavailable: the database does not answer.
    """
    found = await context.knowledge.search(task, limit=context.search_results)
    passages = [
        Passage(
            title=one.title,
            source=one.source,
            url=one.url or "",
            text=one.text,
            score=one.coverage,
        )
        for one in found
    ]
    markdown, citations = await context.compute(quote, task, passages, language)
    if language == "ko":
        summary = f"문서 {len(citations)}곳에서 찾음" if citations else "맞는 문서가 없음"
    else:
        plural = "" if len(citations) == 1 else "s"
        summary = f"{len(citations)} passage{plural} found" if citations else "nothing that fits"
    return TeamResult(
        team="search",
        task=task,
        ok=bool(citations),
        summary=summary,
        markdown=markdown,
        citations=citations,
        code=None if citations else "nothing_found",
    )
