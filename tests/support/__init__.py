"""Shared code of the tests: builds of the library, C programs that call it, and scripted servers."""
