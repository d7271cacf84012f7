"""Playing against a model: the terminal game and, later, the UCI engine."""
