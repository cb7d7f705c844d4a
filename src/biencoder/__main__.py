"""`python -m biencoder`: the command, where its script is not on the path."""

from biencoder.cli.app import main

if __name__ == "__main__":
    main()
