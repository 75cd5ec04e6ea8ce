# The parts of bench/run: data, programs, measuring, limits, tasks, goals, and how all is shown.
