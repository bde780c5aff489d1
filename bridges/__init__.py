"""What leaves and enters the twin: OPC UA, MQTT, VDA 5050, location tags.

A bridge sees frozen views (:class:`bridges.view.TwinView`, for VDA 5050 :class:`bridges.vda5050.view.FleetView`) and hands in
commands (:class:`bridges.inbox.Command`) or observations. It runs in a thread or process of its own and never blocks the tick.
This room imports no other room.
"""
