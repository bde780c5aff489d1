// Reads nodes of the twin with node-opcua, as a plant's Node.js program would.
//
//   node read.mjs URL FOLDER MODE USER PASSWORD NODE...
//
// MODE is SignAndEncrypt or None; an empty USER logs in anonymously; NODE is an identifier in the twin's namespace.
// Prints one line of JSON: {"values": {...}} or {"refused": "..."}.
import path from "node:path";

import certificates from "node-opcua-certificate-manager";
import opcua from "node-opcua-client";

const { AttributeIds, MessageSecurityMode, OPCUAClient, SecurityPolicy, UserTokenType } = opcua;

const [url, folder, mode, userName, password, ...identifiers] = process.argv.slice(2);
const secure = mode === "SignAndEncrypt";

const clientCertificateManager = new certificates.OPCUACertificateManager({
  rootFolder: path.join(folder, "pki"),
  automaticallyAcceptUnknownCertificate: true, // the twin's certificate signs itself; each run makes a new one
});
await clientCertificateManager.initialize();

const client = OPCUAClient.create({
  applicationName: "counterpart",
  clientCertificateManager,
  securityMode: MessageSecurityMode[mode],
  securityPolicy: secure ? SecurityPolicy.Basic256Sha256 : SecurityPolicy.None,
  endpointMustExist: true,
  connectionStrategy: { maxRetry: 0 },
});

let answer;
try {
  await client.connect(url);
  const user = userName ? { type: UserTokenType.UserName, userName, password } : { type: UserTokenType.Anonymous };
  const session = await client.createSession(user);
  const namespace = (await session.readNamespaceArray()).indexOf("urn:factory-twin:telemetry");
  const values = {};
  for (const identifier of identifiers) {
    const data = await session.read({ nodeId: `ns=${namespace};s=${identifier}`, attributeId: AttributeIds.Value });
    values[identifier] = {
      value: data.value.value,
      status: data.statusCode.name,
      type: data.value.dataType,
      sourceTimestamp: data.sourceTimestamp,
    };
  }
  await session.close();
  answer = { values };
} catch (error) {
  answer = { refused: error.message };
} finally {
  await client.disconnect().catch(() => {});
}
console.log(JSON.stringify(answer));
process.exit(0);
