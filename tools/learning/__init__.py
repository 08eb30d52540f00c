"""What all trainers share; it knows no model, no data, and nothing of inspections.

plan.py          how to learn                    loop.py           the loop
memory.py        what is kept of it              map_losses.py     losses of maps of marked damage
"""
