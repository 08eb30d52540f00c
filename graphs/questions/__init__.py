"""Multiple-choice questions about an inspected part: what is asked, and who answers."""
