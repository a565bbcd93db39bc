"""One module for each system that is measured; its functions run in a process of their own."""
