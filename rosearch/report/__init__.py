"""What a run says, as plain data first: statistics, features, the front, recommendations, figures."""
