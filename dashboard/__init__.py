"""Pages over the functions that the API and the command line use."""
