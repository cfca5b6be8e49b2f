"""How fast fcn_edge is beside other ways to run the same network, on the same machine, weights and frames.

``task`` is what all of them are given, ``prepare`` writes it, with ``graphs`` as other libraries' users export the
model. A ``Peer`` is a way from a frame to its mask; ``ways`` has one module per library and ``registry`` all names. A
``worker`` is the process of one peer, ``rounds`` starts them in turns, ``outcome`` makes medians, ratios and bars.
"""
