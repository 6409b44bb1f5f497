"""Git: reading without running anything of the repository's, writing as the user would."""
