"""Every prompt of the product: texts in a file for each language, and how they are put together."""
