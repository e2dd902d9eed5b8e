"""Records to evidence, with pandas and without torch: tables, Pareto front, statistics, figures."""
