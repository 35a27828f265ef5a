"""The scorer: answers campaign engines from a verified release."""
