// An AGV of another maker: vda-5050-lib's virtual AGV, which starts at node r0 of tests/bridges/vda_plant.py and obeys orders.
//
//   node agv.mjs BROKER-URL MANUFACTURER SERIAL
import vda from "vda-5050-lib";

const { AgvController, VirtualAgvAdapter } = vda;
const [url, manufacturer, serialNumber] = process.argv.slice(2);

// its check stays on, but for the version's text, which it compares letter by letter: 2.1.0 is not 2.0.0
class Agv extends AgvController {
  validateTopicObject(topic, object, version) {
    super.validateTopicObject(topic, { ...object, version }, version);
  }
}

const controller = new Agv(
  { manufacturer, serialNumber },
  {
    interfaceName: "uagv",
    transport: { brokerUrl: url },
    vdaVersion: "2.0.0",
  },
  { agvAdapterType: VirtualAgvAdapter, publishVisualizationInterval: 200 },
  {
    initialPosition: { mapId: "hall", x: 2, y: 2, theta: 0, lastNodeId: "r0" },
    initialBatteryCharge: 80,
    vehicleSpeed: 2,
  },
);
await controller.start();
