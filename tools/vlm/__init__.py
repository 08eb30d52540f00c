"""The wire to a vision-language model: one protocol, an OpenAI-compatible client, a scripted stand-in."""
