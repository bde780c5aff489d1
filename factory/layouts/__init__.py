"""Layouts from and for other tools: import to a scenario that a person finishes by hand, export of a scenario's scene.

A reader (``lif``, ``opentcs``, ``rmf``, ``ros_map``, ``dxf``, ``boxes_csv``) turns a file into :class:`~.found.Found`, in
metres in the plant's own frame, and says in a :class:`~.report.Report` what it read, repaired, ignored and did not find.
``repair`` makes of it what the twin can drive, ``to_scenario`` plans the scenario and ``write_scenario`` writes it.
"""
