from tests.runs.test_snapshot import *
from collections import Counter
async def test_dbg(own, monkeypatch):
    monkeypatch.setattr(emitter, "_WHOLE_EVERY", 40)
    gate = new_gate()
    settings = make_settings(own, runs={**PATIENT, "delta_ms": 0}, events={"log_events": 10})
    async with begin(settings) as node:
        session = await start(node)
        words = " ".join(f"say:{number}- sleep:0" for number in range(600))
        await node.services.runs.accept(session, f"{words} wait:{gate}")
        await GATES.wait_until_reached(gate)
        await asyncio.sleep(1)
        ev=await told(node, session.chat_id)
        print(len(ev), ev[0]["offset"], ev[-1]["offset"], Counter(e["type"] for e in ev), [ (e["offset"],e["chunk"],len(e["text"])) for e in ev if e["type"]=="message_text"], [(e["offset"],e["chunk"]) for e in ev][:5],[(e["offset"],e["chunk"]) for e in ev][-5:])
        s=await take(node, session)
        p=s["runs"][0]["partial"]
        print(p and (len(p["text"]), p["chunk"]))
        print(len("".join(f"{number}-" for number in range(600))))
        GATES.open(gate)
