"""Why a file cannot be imported at all. A row that cannot be read is not an error: it is quarantined."""

from meshline.kernel.errors import MeshlineError


class UnusableFile(MeshlineError):
    """The file is missing, empty, of an unknown kind, or its columns match no contract."""

    default_code = "unusable_file"


class ImportedElsewhere(MeshlineError):
    """Another process imports the same file at the same time."""

    default_code = "import_running"
    http_status = 409
