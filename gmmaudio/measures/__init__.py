"""Numbers in, numbers out: how good a set of decisions is, and how sure one can be of it."""
