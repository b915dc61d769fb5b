"""From a checkpoint to a bundle.

Where things are::

    bundle_writer    export_bundle: all of it, checked, or nothing
    main_graphs      the ONNX graphs of the main network, written from arrays
    hypernetwork_graphs  those that make its weights (graph_parts: what both are written with)
    network_graphs   from a trained network to these graphs
    contract         what a bundle's graphs must be, as code
    parity           PyTorch against ONNX Runtime
    model_card       MODEL_CARD.md
    reference        the authors' own model and figures in this runtime
"""
