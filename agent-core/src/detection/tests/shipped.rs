//! The rules that come with the agent.
