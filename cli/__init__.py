"""The command line `dtb-run`: parse, call, print.

Where things are::

    app                                        the commands, and errors to exit codes
    predict, calibrate, simulate, train, export, doctor   one command each
    bundles                                    bundles and inspect
    evaluate                                   and evaluate_reference; evaluation_*: what it does
    fold_training, processes                   trainings of an evaluation
    options, cohorts, person                   options that several commands share
    forecasts, figures                         what is printed of a person, and of a bundle
    terminal                                   tables, JSON, messages, progress
"""
