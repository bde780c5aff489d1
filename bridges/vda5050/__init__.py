"""VDA 5050 2.1.0 and 3.0.0: the language of fleet managers and AGVs.

The twin speaks it from both ends: its AGVs obey a fleet manager (:class:`~bridges.vda5050.agvs.VirtualAgvs`), and it listens to
real AGVs and may send them orders (:class:`~bridges.vda5050.fleet_manager.FleetManager`).
"""
