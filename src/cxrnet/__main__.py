"""`python -m cxrnet`: the command line."""

from cxrnet.cli import main

main()
