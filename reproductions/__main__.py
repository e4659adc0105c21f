"""Run the command line as ``python -m reproductions``."""

from reproductions.cli import main

if __name__ == "__main__":
    main()
