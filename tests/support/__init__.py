"""What the tests share: builds of the library, C programs that call it, and scripted servers."""
