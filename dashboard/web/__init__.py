"""The pages' application: who looks, in which language, and what a page is made with."""
