"""The findings of a run as plain data: tables, statistics, features, the front, recommendations, figures."""
