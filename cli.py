"""`python cli.py …` in a checkout is `ldl …`."""

from ldl.cli import main

if __name__ == "__main__":
    main()
