"""How long the steps of the program take, beside what else there is and what could be."""
