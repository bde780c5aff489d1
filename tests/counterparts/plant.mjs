// A plant's controller: a node-opcua server with a robot's joints, a state and a place for advice.
//
//   node plant.mjs PORT FOLDER USER PASSWORD [USER_CERTIFICATE.der]
//
// Basic256Sha256 SignAndEncrypt alone, no anonymous users. Whoever has the user certificate may log in with it. Prints "ready"; then,
// for every line "NAME VALUE" on the standard input, sets a node and prints "= done"; for "NAME ?" prints "= " and the value. The
// library's own warnings stand between.
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";

import certificates from "node-opcua-certificate-manager";
import opcuaClient from "node-opcua-client";
import nodesets from "node-opcua-nodesets";
import opcuaServer from "node-opcua-server";

const { DataType, MessageSecurityMode, SecurityPolicy, StatusCodes, Variant } = opcuaClient;
const [port, folder, user, password, certificate] = process.argv.slice(2);

const manager = async (name, automaticallyAcceptUnknownCertificate) => {
  const made = new certificates.OPCUACertificateManager({
    rootFolder: path.join(folder, name),
    automaticallyAcceptUnknownCertificate,
  });
  await made.initialize();
  return made;
};
const serverCertificateManager = await manager("pki", true); // who the client is, the tests of our own server look at
const userCertificateManager = await manager("users", false);
if (certificate) await userCertificateManager.trustCertificate(fs.readFileSync(certificate));

const server = new opcuaServer.OPCUAServer({
  port: Number(port),
  host: "127.0.0.1",
  hostname: "127.0.0.1",
  serverCertificateManager,
  userCertificateManager,
  userManager: { isValidUser: (name, word) => name === user && word === password },
  allowAnonymous: false,
  securityPolicies: [SecurityPolicy.Basic256Sha256],
  securityModes: [MessageSecurityMode.SignAndEncrypt],
  nodeset_filename: [nodesets.nodesets.standard],
});
await server.initialize();
const space = server.engine.addressSpace;
const namespace = space.registerNamespace("urn:plant:cell-3");
const robot = namespace.addObject({ organizedBy: space.rootFolder.objects, browseName: "cobot-1", nodeId: "s=Robot" });
const nodes = {};
const add = (name, kind, value) => {
  nodes[name] = namespace.addVariable({
    componentOf: robot,
    browseName: name,
    nodeId: `s=Robot/${name}`,
    dataType: kind,
    accessLevel: "CurrentRead | CurrentWrite",
    userAccessLevel: "CurrentRead | CurrentWrite",
    minimumSamplingInterval: 10,
  });
  nodes[name].setValueFromSource(new Variant({ dataType: DataType[kind], value }), StatusCodes.Good);
};
for (let joint = 1; joint <= 7; joint += 1) add(`A${joint}`, "Double", 10 * joint);
add("Running", "Boolean", true);
add("Risk", "Double", 0);

// a resting axis is measured anew, so its time goes on
setInterval(() => {
  for (const name of Object.keys(nodes).filter((key) => key !== "Risk")) {
    nodes[name].setValueFromSource(nodes[name].readValue().value, StatusCodes.Good);
  }
}, 100);
await server.start();
console.log("ready");
for await (const line of readline.createInterface({ input: process.stdin })) {
  const [name, value] = line.split(" ");
  const variant = nodes[name].readValue().value;
  if (value === "?") console.log(`= ${variant.value}`);
  else {
    const meant = variant.dataType === DataType.Boolean ? value === "true" : Number(value);
    nodes[name].setValueFromSource(new Variant({ dataType: variant.dataType, value: meant }), StatusCodes.Good);
    console.log("= done");
  }
}
process.exit(0);
