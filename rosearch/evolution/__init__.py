"""Who is tried next: fitness, variation, and the search strategies. No torch here.

Each name is imported from its own module, so that reading a run back loads fitness and fronts without DEAP.
"""
