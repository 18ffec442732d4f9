"""Public price lists as rows of prices.json: a file per list, and what goes over all rows."""
