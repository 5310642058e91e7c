"""`python -m rmimom.nameserver` is `rmimom-ns`, for processes that start one from their own interpreter."""

from rmimom.nameserver.cli import main

if __name__ == "__main__":
    main(prog_name="rmimom-ns")
