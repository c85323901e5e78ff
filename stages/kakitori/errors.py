"""What went wrong in the user's terms: one line that names file, offset, expected and found."""

import zipfile
import zlib

# What Python raises for a zip that is cut short, damaged, encrypted or of an unknown compression.
DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


class DataError(Exception):
    """Input data that is missing, damaged or of another kind than expected."""


class SettingsError(Exception):
    """A setting in params.yaml that is unknown, of the wrong type or impossible."""
