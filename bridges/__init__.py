"""What leaves and enters the twin: OPC UA, MQTT.

A bridge sees one type, :class:`bridges.view.TwinView`, and hands in one type, :class:`bridges.inbox.Command`. It runs in a thread
or process of its own and never blocks the tick. This room imports no other room.
"""
