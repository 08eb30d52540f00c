"""Pictures of our own to try the agent on, and the program that draws them."""
