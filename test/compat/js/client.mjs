// Starts the SDK's client over HTTP and over gRPC, and asks it what it can say of a sidecar.

import assert from "node:assert/strict";
import { CommunicationProtocolEnum, DaprClient } from "@dapr/dapr";

for (const [protocol, daprPort] of [
  [CommunicationProtocolEnum.HTTP, process.env.DAPR_HTTP_PORT],
  [CommunicationProtocolEnum.GRPC, process.env.DAPR_GRPC_PORT],
]) {
  const client = new DaprClient({ daprHost: "127.0.0.1", daprPort, communicationProtocol: protocol });
  await client.start(); // asks for metadata until it gets some
  assert.equal(await client.health.isHealthy(), true);
  assert.equal((await client.metadata.get()).id, "sub");
  assert.equal(await client.metadata.set("colour", `blue ${daprPort}`), true);
  assert.equal((await client.metadata.get()).extended.colour, `blue ${daprPort}`);
  await client.stop();
}
process.exit(0); // connections that are kept alive are nothing to wait for
