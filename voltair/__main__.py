"""`python -m voltair`."""

from voltair.cli import main

if __name__ == "__main__":
    main()
