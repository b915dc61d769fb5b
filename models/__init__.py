"""Networks, cohorts and training.

Where things are::

    config, settings       a network's sizes and a training's numbers, checked
    hypernetwork           edges in, every weight of a main network out
    main_network           all people's recurrences in one batched product per step
    losses, bold_targets   what training minimizes, and what BOLD is compared with
    tensors                a cohort as training arrays
    training               from a cohort to a checkpoint (training_loop, training_state)
    bold_readout           the compact BOLD readout, solved at the end
    measurement            figures on people held out, and simple_rules beside them
    protocols              who is judged on which trials (judged_trials, judged_files)
    metrics                their figures with intervals (metric_definitions, metric_sums, bootstrap)
    rules                  simple rules on the same trials (rule_forecasts, rule_trials,
                           rule_regressions, rule_distributions); reliability bounds them
    evaluation             twins beside rules and controls (evaluated_people, evaluation_controls,
                           connectome_trials, direct_input, in_threads); evaluation_maps and
                           evaluation_planted: of brains; evaluation_report, evaluation_files
    contrast_maps          GLM maps of runs; map_statistics: of groups; identification: of people
    connectome_prediction  what linear models of the edges predict
    cohort_norms           distributions over a cohort (demographic_norms: by age and sex)
    bundle_network         a bundle's networks in PyTorch; response_tensors, indicator_tensors:
                           their indicators with gradients
    plan_search            which change of a connectome moves an indicator (change_search,
                           change_families, multiplier_search)
    direction_search       the same the paper's way (weight_direction, smooth_grad)
    response_prediction    whether anything tells beforehand who responds
    checkpoint             a trained network on disk
    cohorts                what a cohort is: participants, runs, splits (cohort_views: parts)
    tcp                    the real study as a cohort (tcp_layout, tcp_series, tcp_writer)
    planted                what simulated people's connectomes can tell at best
                           (planted_patterns, planted_change,
                           explained_variance)
    hcp                    real people with rest and activations, without trials
    simulation             people whose truth is known (simulated_people, simulated_connectome,
                           simulated_behavior, simulated_bold, measured_traits, response_maps)
    network_families       what names of networks stand for; region_pairs, bold_regions: of regions
    reference              the authors' public model (reference_training: learned from scratch)
    schedules              makes the runtime's default schedules
    array_types            one name for each axis

Cohorts, simulation, metrics and rules need no PyTorch; nothing is imported before it is asked for
by module.
"""
