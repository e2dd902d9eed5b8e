"""The choice of the next candidates: fitness of measurements, variation of genotypes, strategies. No torch here.

Each name is imported from its own module, so that reading a run back loads fitness and fronts without DEAP.
"""
