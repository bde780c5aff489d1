// A fleet manager on vda-5050-lib: drives one AGV through an order with an update, and cancels a second order on its way.
//
//   node fleet_manager.mjs BROKER-URL MANUFACTURER SERIAL
//
// The ring r0..r5 is that of tests/bridges/vda_plant.py. Prints one line of JSON: what it was told, in order.
// The library knows VDA 5050 2.0.0 and compares version texts letter by letter; the rest of its checks is on, both ways.
import vda from "vda-5050-lib";

const { MasterController, Topic, BlockingType } = vda;
const [url, manufacturer, serialNumber] = process.argv.slice(2);
const agv = { manufacturer, serialNumber };

class Master extends MasterController {
  validateTopicObject(topic, object, version) {
    super.validateTopicObject(topic, { ...object, version }, version);
  }
}

const master = new Master({ interfaceName: "uagv", transport: { brokerUrl: url }, vdaVersion: "2.0.0" }, {});
const told = { nodes: [], edges: [], actions: [], processed: [], errors: [], connection: [] };

function order(orderId, orderUpdateId, names, base, first, actions = {}) {
  const nodes = names.map((nodeId, k) => ({
    nodeId,
    sequenceId: first + 2 * k,
    released: k < base,
    actions: (actions[nodeId] ?? []).map(([actionType, actionId]) => ({ actionType, actionId, blockingType: BlockingType.Hard })),
  }));
  const edges = names.slice(1).map((endNodeId, k) => ({
    edgeId: `edge-${names[k]}-${endNodeId}`,
    sequenceId: first + 2 * k + 1,
    startNodeId: names[k],
    endNodeId,
    released: k + 1 < base,
    actions: [],
  }));
  return { orderId, orderUpdateId, nodes, edges };
}

function handler(resolve, wanted) {
  return {
    onOrderProcessed: (error, byCancelation, active, context) => {
      const { orderId, orderUpdateId } = context.order;
      told.processed.push({ orderId, orderUpdateId, byCancelation, active, error: error?.errorType ?? null });
      if (error || wanted(byCancelation, active)) resolve();
    },
    onNodeTraversed: (node) => told.nodes.push(node.nodeId),
    onEdgeTraversed: (edge) => told.edges.push(edge.edgeId),
    onActionStateChanged: (state) => told.actions.push(`${state.actionId} ${state.actionStatus}`),
  };
}

const watchdog = setTimeout(() => {
  console.log(JSON.stringify({ late: true, ...told }));
  process.exit(1);
}, 45000);

await master.start();
await master.subscribe(Topic.Connection, agv, (message) => told.connection.push(message.connectionState));
await new Promise((online) => master.subscribe(Topic.State, agv, online));

// an order over four nodes of which two are released, then the rest as an update that is stitched to it
const pick = { r1: [["pick", "pick-1"]] };
await new Promise((resolve, reject) => {
  master.assignOrder(agv, order("first", 0, ["r0", "r1", "r2", "r3"], 2, 0, pick), handler(resolve, (_, active) => active)).catch(reject);
});
await new Promise((resolve, reject) => {
  const rest = order("first", 1, ["r1", "r2", "r3", "r4"], 4, 2, { ...pick, r4: [["drop", "drop-1"]] });
  master.assignOrder(agv, rest, handler(resolve, (_, active) => !active)).catch(reject);
});

// a second order, cancelled as soon as its first node lies behind
await new Promise((resolve, reject) => {
  const events = handler(resolve, (cancelled) => cancelled);
  let asked = false;
  events.onNodeTraversed = (node) => {
    told.nodes.push(node.nodeId);
    if (asked || node.nodeId === "r4") return;
    asked = true;
    const actions = [{ actionType: "cancelOrder", actionId: "cancel-1", blockingType: BlockingType.None }];
    const cancel = { actions, instantActions: actions }; // 2.0's name, and 1.1's, which this controller looks at too
    master
      .initiateInstantActions(agv, cancel, {
        onActionStateChanged: (state) => told.actions.push(`${state.actionId} ${state.actionStatus}`),
        onActionError: (error) => told.errors.push(error),
      })
      .catch(reject);
  };
  master.assignOrder(agv, order("second", 0, ["r4", "r5", "r0", "r1", "r2", "r3"], 6, 0), events).catch(reject);
});

await master.stop();
clearTimeout(watchdog);
console.log(JSON.stringify(told));
process.exit(0);
