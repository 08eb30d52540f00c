"""The words of the product in each language that it speaks, kept apart from the code that uses them."""
