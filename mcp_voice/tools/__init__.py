"""The catalogue: what an agent can ask of the telephone."""
