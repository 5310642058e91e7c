"""The commands of `rmimom-admin`, a module for each subject."""
