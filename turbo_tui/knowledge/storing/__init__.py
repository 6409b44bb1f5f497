"""The index on disk, in a helper process that alone imports LanceDB."""
