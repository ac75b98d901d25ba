"""The built-in LangGraph graph: initialize, plan, teams, aggregate, respond, remember."""
