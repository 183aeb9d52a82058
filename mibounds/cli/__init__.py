"""The command line: each command is one file that parses, delegates and prints."""
