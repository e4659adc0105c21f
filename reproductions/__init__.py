"""What is run, and what comes of it: harness, reproductions of each paper, report, command line."""
