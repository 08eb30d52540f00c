"""Learning from a user's pictures: what goes in, what is kept, and how to go on."""
