"""A whole twin goes on with the AGVs' orders of another one that ended."""

from __future__ import annotations

import numpy as np

from bridges.inbox import Command
from bridges.vda5050.memory import OrdersFile
from bridges.vda5050.vehicle import ORDER_COMMAND
from factory.fleet_bridge import FleetBridge
from factory.scenario import load_scenario
from factory.twin import Twin
from robots.order_messages import write_order
from robots.orders import order_of

SETTINGS = ["robots.agvs.orders_from=outside", "radio.enabled=false", "people.count=0", "robots.cobots=[]"]


def begin(folder):
    twin = Twin(load_scenario("ci", SETTINGS))
    serials = twin.devices[: twin.fleet.n]
    bridge, file = FleetBridge(twin.fleet, serials), OrdersFile(folder)
    bridge.recall(file)
    twin.steering.also(bridge.carry_out)
    return twin, bridge, file


def test_another_twin_takes_the_agvs_up_where_they_were(tmp_path):
    twin, bridge, file = begin(tmp_path)
    graph = twin.fleet.graph
    at = int(twin.fleet.state().node[0])
    way = [at]
    for _ in range(2):
        way.append(int(graph.edge_end[graph.out_edge[graph.out_start[way[-1]]]]))
    names = [graph.node_id[v] for v in way]
    twin.inbox.put(Command("test", ORDER_COMMAND, twin.devices[0], payload=write_order(order_of("o-1", 0, names, 3))))
    for _ in range(150):
        twin.tick()
    assert twin.agvs.speed_mps[0] > 0
    there_m, yaw_rad = twin.agvs.position_m.copy(), twin.agvs.heading_rad.copy()
    file.save(bridge.view().memory)
    file.close()
    twin.close()

    twin, bridge, file = begin(tmp_path)
    try:
        assert f"1 of them with an order ({twin.devices[0]})" in bridge.notice
        twin.tick()
        assert np.abs(twin.agvs.position_m - there_m).max() < 0.02
        assert np.abs(twin.agvs.heading_rad - yaw_rad).max() < 0.05
        for _ in range(4000):
            twin.tick()
            if not twin.fleet.order_active(0):
                break
        assert graph.node_id[twin.agvs.node[0]] == names[-1]
        assert bridge.view().vehicles[0].order_id == "o-1"
    finally:
        file.close()
        twin.close()
