"""The analysis team: sums, percentages, units, dates and small tables, with the steps."""
