"""What went wrong in the user's terms: one line that names file, offset, expected and found."""


class DataError(Exception):
    """Input data that is missing, damaged or of another kind than expected."""


class SettingsError(Exception):
    """A setting in params.yaml that is unknown, of the wrong type or impossible."""
