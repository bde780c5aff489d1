// Uses the twin with node-opcua as a plant's Node.js program would, step by step.
//
//   node matrix.mjs URL FOLDER TASK
//
// TASK is JSON: {passwords: {user: password}, policies: [...], aggregates: [...], beginMs, historyS, intervalS, pairS,
// pairMeans}. Prints the line "restart" and waits for a line on the standard input, by which time the server has been restarted. Its
// last line is JSON: what came of each point of matrix_points.py.
import path from "node:path";
import readline from "node:readline";

import certificates from "node-opcua-certificate-manager";
import opcua from "node-opcua-client";

const { AttributeIds, DataType, MessageSecurityMode, OPCUAClient, SecurityPolicy, TimestampsToReturn, UserTokenType } = opcua;
const SINR = "Links/agv-01/SinrDownlink";
const FIELDS = ["EventId", "ConditionName", "SourceName", "Severity", "ActiveState.Id", "AckedState.Id", "ConfirmedState.Id"];

const [url, folder, text] = process.argv.slice(2);
const task = JSON.parse(text);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const clientCertificateManager = new certificates.OPCUACertificateManager({
  rootFolder: path.join(folder, "pki"),
  automaticallyAcceptUnknownCertificate: true, // the twin's certificate signs itself; each run makes a new one
});
await clientCertificateManager.initialize();

const answer = {};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const wait = async (true_, ms = 15000) => {
  for (const until = Date.now() + ms; !true_() && Date.now() < until; ) await pause(20);
};
const double = (value) => ({ dataType: DataType.Double, value });
const string = (value) => ({ dataType: DataType.String, value });
let ns = 0;
const id = (name) => `ns=${ns};s=${name}`;

const connected = async (user, policy, mode, work, { password = task.passwords[user], maxRetry = 0 } = {}) => {
  const client = OPCUAClient.create({
    applicationName: "counterpart",
    clientCertificateManager,
    securityMode: MessageSecurityMode[mode],
    securityPolicy: SecurityPolicy[policy],
    endpointMustExist: true,
    connectionStrategy: { maxRetry, initialDelay: 200, maxDelay: 1000 },
  });
  try {
    await client.connect(url);
    const identity = user ? { type: UserTokenType.UserName, userName: user, password } : { type: UserTokenType.Anonymous };
    const session = await client.createSession(identity);
    ns = (await session.readNamespaceArray()).indexOf("urn:factory-twin:telemetry");
    const result = await work(session, client);
    await session.close();
    return result;
  } finally {
    await client.disconnect().catch(() => {});
  }
};
// a service that is refused as a whole throws; the name of its status is in the text
const outcome = async (work) => {
  try {
    return (await work()).name;
  } catch (error) {
    return /Bad\w+/.exec(error.message)?.[0] ?? error.message;
  }
};

const read = async (session, name) => (await session.read({ nodeId: id(name), attributeId: AttributeIds.Value })).value.value;
const write = (session, name, value) =>
  outcome(() => session.write({ nodeId: id(name), attributeId: AttributeIds.Value, value: { value: double(value) } }));
const invoke = (session, objectId, methodId, inputArguments) =>
  outcome(async () => (await session.call({ objectId, methodId, inputArguments })).statusCode);
const call = (session, method, ...inputArguments) => invoke(session, id("Methods"), id(`Methods/${method}`), inputArguments);
const subscribe = (session) =>
  session.createSubscription2({
    requestedPublishingInterval: 50,
    requestedLifetimeCount: 1000,
    requestedMaxKeepAliveCount: 10,
    publishingEnabled: true,
  });
const watch = async (subscription, name, filter) => {
  const values = [];
  const item = await subscription.monitor(
    { nodeId: id(name), attributeId: AttributeIds.Value },
    { samplingInterval: 0, queueSize: 10, discardOldest: true, filter },
    TimestampsToReturn.Both,
  );
  item.on("changed", (data) => values.push(data.value.value));
  await wait(() => values.length);
  return values;
};
const watchEvents = async (subscription, least) => {
  const events = [];
  const where = new opcua.ContentFilterElement({
    filterOperator: opcua.FilterOperator.GreaterThanOrEqual,
    filterOperands: [
      new opcua.SimpleAttributeOperand({
        typeDefinitionId: "i=2041",
        browsePath: [{ name: "Severity" }],
        attributeId: AttributeIds.Value,
      }),
      new opcua.LiteralOperand({ value: { dataType: DataType.UInt16, value: least } }),
    ],
  });
  const item = await subscription.monitor(
    { nodeId: "i=2253", attributeId: AttributeIds.EventNotifier },
    { samplingInterval: 0, queueSize: 100, discardOldest: true, filter: opcua.constructEventFilter(FIELDS, where) },
    TimestampsToReturn.Both,
  );
  item.on("changed", (fields) => events.push(fields.map((field) => field.value)));
  return events;
};
const acknowledge = (session, event, what = "acknowledgeCondition") =>
  outcome(() => session[what](opcua.coerceNodeId(id("Alarms/MachineStopped/agv-01")), event, "seen"));

const policies = async () => {
  answer["None None"] = await connected("", "None", "None", async (session) => [
    await read(session, SINR),
    await write(session, "Settings/RiskLimit", 0.4),
  ]);
  for (const policy of task.policies) {
    for (const mode of ["SignAndEncrypt", "Sign"]) {
      answer[`${policy} ${mode}`] = await connected("vera", policy, mode, (session) => read(session, SINR));
    }
  }
  answer["wrong password"] = await outcome(() =>
    connected("vera", "Basic256Sha256", "SignAndEncrypt", () => ({ name: "Good" }), { password: "another word" }),
  );
};

const refusals = async (session) => {
  answer["viewer writes value"] = await write(session, SINR, 99);
  answer["viewer writes setting"] = await write(session, "Settings/RiskLimit", 0.6);
  answer["viewer calls"] = await call(session, "SetSpeed", double(2));
  answer["viewer acknowledges"] = await acknowledge(session, Buffer.from("any"));
};

const reading = async (session) => {
  const names = ["FactoryTwin", "Links", "agv-01", "SinrDownlink"].map((name) => `/${ns}:${name}`).join("");
  const found = await session.translateBrowsePath(opcua.makeBrowsePath("RootFolder", `/Objects${names}`));
  answer.path = found.targets[0].targetId.value;
  const children = (await session.browse(id("Links/agv-01"))).references.map((reference) => reference.nodeId.toString());
  answer.browse = children.includes(id(SINR)) && children.includes(id("Links/agv-01/Margin"));
  answer.read = await read(session, SINR);
  answer["engineer writes value"] = await write(session, SINR, 99);
  answer["engineer writes setting"] = [await write(session, "Settings/RiskLimit", 0.6), await read(session, "Settings/RiskLimit")];
};

const methods = async (session) => {
  answer["right arguments"] = await call(session, "SetSpeed", double(1));
  answer["no arguments"] = await call(session, "SetSpeed");
  answer["too many arguments"] = await call(session, "SetSpeed", double(1), double(1));
  answer["out of range"] = await call(session, "SetSpeed", double(1000));
  answer["wrong type"] = await call(session, "SetSpeed", string("fast"));
  answer["unknown target"] = await call(session, "StopAgv", string("agv-99"));
};

const subscriptions = async (session) => {
  const subscription = await subscribe(session);
  const plain = await watch(subscription, "Twin/RealTimeFactor");
  const band = { deadbandType: opcua.DeadbandType.Absolute, deadbandValue: 0.5, trigger: opcua.DataChangeTrigger.StatusValue };
  const banded = await watch(subscription, "Twin/RealTimeFactor", new opcua.DataChangeFilter(band));
  for (const factor of [1.2, 1.4, 1.6, 3, 1]) await call(session, "SetSpeed", double(factor));
  await wait(() => plain.length >= 6 && banded.length >= 4);
  answer.subscription = plain;
  answer["dead-band"] = banded;
  await subscription.terminate();
};

const alarms = async (session) => {
  const subscription = await subscribe(session);
  const events = await watchEvents(subscription, 600);
  for (const agv of ["agv-02", "agv-01"]) await call(session, "StopAgv", string(agv));
  await wait(() => events.length >= 1);
  const event = events[0][0];
  answer.alarm = [await acknowledge(session, Buffer.from("no such event")), await acknowledge(session, event)];
  answer.alarm.push(await acknowledge(session, event));
  for (const agv of ["agv-01", "agv-02"]) await call(session, "ReleaseAgv", string(agv));
  await wait(() => events.length >= 3);
  answer.alarm.push(await acknowledge(session, event, "confirmCondition"));
  await wait(() => events.length >= 4);
  answer.events = events.map((fields) => fields.slice(1));
  await subscription.terminate();
};

const refresh = async (session) => {
  for (const agv of ["agv-01", "agv-02"]) await call(session, "StopAgv", string(agv));
  const subscription = await subscribe(session);
  const events = await watchEvents(subscription, 0);
  const ask = (number) => invoke(session, "i=2782", "i=3875", [{ dataType: DataType.UInt32, value: number }]);
  const code = await ask(subscription.subscriptionId);
  await wait(() => events.length >= 4); // begin, two alarms, end
  const names = events.filter((fields) => fields[1]).map((fields) => `${fields[1]} ${fields[2]}`);
  answer.refresh = [code, names.sort(), await ask(subscription.subscriptionId + 99)];
  for (const agv of ["agv-01", "agv-02"]) await call(session, "ReleaseAgv", string(agv));
  await subscription.terminate();
};

const history = async (session) => {
  const [begin, end] = [new Date(task.beginMs), new Date(task.beginMs + 1000 * task.historyS)];
  const nodeId = opcua.coerceNodeId(id("Services/control/Availability"));
  const ask = (continuationPoint, node = nodeId) =>
    session.readHistoryValue({ nodeId: node, continuationPoint }, begin, end, { returnBounds: false });
  const stamps = [];
  let pages = 0;
  let point;
  do {
    const result = await ask(point);
    stamps.push(...result.historyData.dataValues.map((value) => value.sourceTimestamp.getTime()));
    point = result.continuationPoint;
    pages += 1;
  } while (point?.length);
  answer.history = [stamps.length, pages, stamps.every((stamp, k) => stamp === task.beginMs + 1000 * k)];
  answer["bad point"] = (await ask(Buffer.from("none"))).statusCode.name;
  answer.aggregates = {};
  for (const name of task.aggregates) {
    const kind = opcua.AggregateFunction[name];
    const result = await session.readAggregateValue({ nodeId }, begin, end, kind, 1000 * task.intervalS);
    answer.aggregates[name] = result.historyData.dataValues.map((value) => value.value.value);
  }
  const means = [];
  pages = 0;
  point = undefined;
  do {
    const historyReadDetails = new opcua.ReadProcessedDetails({
      startTime: begin,
      endTime: end,
      processingInterval: 1000 * task.pairS,
      aggregateType: [opcua.coerceNodeId(`i=${opcua.AggregateFunction.Average}`)],
    });
    const request = new opcua.HistoryReadRequest({
      historyReadDetails,
      nodesToRead: [{ nodeId, continuationPoint: point }],
      timestampsToReturn: opcua.TimestampsToReturn.Both,
    });
    const result = (await session.historyRead(request)).results[0];
    means.push(...result.historyData.dataValues.map((value) => value.value.value));
    point = result.continuationPoint;
    pages += 1;
  } while (point?.length);
  const agree = means.length === task.pairMeans.length && means.every((mean, k) => Math.abs(mean - task.pairMeans[k]) < 1e-9);
  answer["aggregate pages"] = [pages, agree];
  const machine = opcua.coerceNodeId(id("Machines/agv-01/X"));
  answer["no history"] = (await ask(undefined, machine)).statusCode.name;
};

const restart = async (session) => {
  const values = await watch(await subscribe(session), "Twin/RealTimeFactor");
  console.log("restart");
  await lines.next();
  let value;
  for (const until = Date.now() + 40000; value === undefined && Date.now() < until; ) {
    value = await read(session, SINR).catch(() => undefined);
    await pause(100);
  }
  for (const until = Date.now() + 15000; !values.includes(1.5) && Date.now() < until; ) {
    await call(session, "SetSpeed", double(1.5));
    await pause(200);
  }
  answer.restart = [value, values.at(-1)];
  await call(session, "SetSpeed", double(1));
};

try {
  const [policy, mode] = ["Basic256Sha256", "SignAndEncrypt"];
  await policies();
  await connected("vera", policy, mode, refusals);
  await connected("egon", policy, mode, async (session) => {
    for (const part of [reading, methods, subscriptions, alarms, refresh, history]) await part(session);
  });
  await connected("egon", policy, mode, restart, { maxRetry: -1 });
} catch (error) {
  answer.failed = String(error.stack);
}
console.log(JSON.stringify(answer));
process.exit(0);
