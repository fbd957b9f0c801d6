"""``python -m gmmaudio`` is ``gmmaudio``."""

from gmmaudio.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
