"""The API's routes: each translates between HTTP and a function, and nothing more."""
