"""They and the processes that they start keep what Python compiles."""

import os
import sys

# Else each of hundreds of processes compiles PyTorch anew, for 20 s.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
