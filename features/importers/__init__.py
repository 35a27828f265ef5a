"""Public data sets as contract tables: one module a data set."""
