"""The command line `dtb-run`."""
