"""`python -m keras_fm`: the command line."""

import sys

from keras_fm.cli import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m keras_fm"))
