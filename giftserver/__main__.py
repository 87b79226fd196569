"""`python -m giftserver` is the command `giftserver`."""

from giftserver.cli import main

if __name__ == "__main__":
    main()
