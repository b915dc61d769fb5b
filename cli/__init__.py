"""The command line `dtb-run`: parse, call, print.

Where things are::

    app                                        the commands, and errors to exit codes
    predict, simulate, train, export, doctor   one command each
    bundles                                    bundles and inspect
    evaluate                                   evaluate reference
    options, cohorts                           options that several commands share
    terminal                                   tables, JSON, messages, progress
    threads                                    processors that may really be used
"""
