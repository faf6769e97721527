// Runs the SDK's server over gRPC, which has no place yet for an app's function for jobs: it answers each trigger well.
// So this listens at its door, and holds that what it answers is believed.

import assert from "node:assert/strict";
import { CommunicationProtocolEnum, DaprServer } from "@dapr/dapr";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import structs from "google-protobuf/google/protobuf/struct_pb.js";

const api = `http://localhost:${process.env.DAPR_HTTP_PORT}/v1.0/jobs/`;
const server = new DaprServer({
  serverHost: "127.0.0.1",
  serverPort: process.env.APP_PORT,
  communicationProtocol: CommunicationProtocolEnum.GRPC,
  clientOptions: { daprHost: "127.0.0.1", daprPort: process.env.DAPR_GRPC_PORT },
});

const arrived = [];
const door = server.daprServer.getServerImpl();
const answer = door.onJobEventAlpha1.bind(door);
door.onJobEventAlpha1 = (event, context) => {
  arrived.push(event);
  return answer(event, context);
};
await server.start(); // which waits until the sidecar has metadata

const response = await fetch(api + "a", {
  method: "POST",
  body: JSON.stringify({ schedule: "@every 200ms", dueTime: "0s", repeats: 3, data: "hello" }),
  signal: AbortSignal.timeout(10_000),
});
assert.equal(response.status, 204);

// The job is gone when its last trigger has been answered well. The Go test bounds the wait.
while ((await fetch(api + "a")).status === 200) {
  await new Promise((resolve) => setTimeout(resolve, 50));
}
assert.equal(arrived.length, 3);
for (const event of arrived) {
  assert.deepEqual([event.name, event.method, event.data.typeUrl], ["a", "job/a", "type.googleapis.com/google.protobuf.Value"]);
  assert.equal(Buffer.from(event.data.value).toString("latin1"), "\x1a\x05hello"); // a Value that is a string
}

// Data that a Value cannot hold as it was written is for these readers of protobuf the Value that it is for Dapr.
arrived.length = 0;
const odd = await fetch(api + "b", {
  method: "POST",
  body: String.raw`{"dueTime":"0s","data":{"z":1.0,"\u0061":[12345678901234567890,"\/"]}}`,
  signal: AbortSignal.timeout(10_000),
});
assert.equal(odd.status, 204);
while (arrived.length === 0) {
  await new Promise((resolve) => setTimeout(resolve, 50));
}
const want = { z: 1, a: [12345678901234567000, "/"] };
const bytes = arrived[0].data.value;
assert.deepEqual(structs.Value.deserializeBinary(bytes).getStructValue().toJavaScript(), want);
assert.deepEqual(toJson(ValueSchema, fromBinary(ValueSchema, bytes)), want);
process.exit(0);
