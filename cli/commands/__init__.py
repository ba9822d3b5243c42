"""The commands, one family a file; `cli.main` loads each only when it is called."""
