"""The administration tool; imported as rmimom.admin."""
