// Speaks the jobs API with nothing but fetch, in both of its dialects. The test around it is the app, and sees what
// arrives.

import assert from "node:assert/strict";

const api = `http://localhost:${process.env.DAPR_HTTP_PORT}`;

// call makes a request and returns its status, and its body if there is one.
async function call(method, path, { headers = {}, body } = {}) {
  const response = await fetch(api + path, {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  return [response.status, text && JSON.parse(text)];
}

const data = { "@type": "type.googleapis.com/google.type.Expr", expression: "expression1" };
const type = "type.googleapis.com/google.protobuf.Value";

// As first published: the job is wrapped, a header names the app, and all is accepted with 202.
const headers = { "dapr-app-id": "sub" };
const published = "/v1.0-alpha1/jobs/published";
assert.deepEqual(await call("POST", published, { headers, body: { job: { data, dueTime: "1h" } } }), [202, ""]);
for (const path of [published, "/v1.0-alpha1/job/published"]) {
  const [status, job] = await call("GET", path, { headers });
  assert.equal(status, 202);
  assert.deepEqual({ name: job.name, dueTime: job.dueTime, data: job.data }, { name: "published", dueTime: "1h", data });
}
assert.deepEqual(await call("DELETE", published, { headers }), [202, ""]);

// As today: flat, and the data in an Any.
for (const prefix of ["/v1.0", "/v1.0-alpha1"]) {
  const today = `${prefix}/jobs/today`;
  const body = { data: ["ä", 1.5, null], schedule: "@every 1h", dueTime: "2h", repeats: 3, failurePolicy: { drop: {} } };
  assert.deepEqual(await call("POST", today, { body }), [204, ""]);
  assert.deepEqual(await call("GET", today), [200, { ...body, name: "today", data: { "@type": type, value: body.data } }]);
  const [status, error] = await call("POST", today, { body });
  assert.deepEqual([status, error.errorCode], [409, "DAPR_SCHEDULER_SCHEDULE_JOB"]);
  assert.deepEqual(await call("POST", today, { body: { ...body, overwrite: true } }), [204, ""]);
  assert.deepEqual(await call("DELETE", today), [204, ""]);
  assert.equal((await call("GET", today))[0], 500);
}

// And what arrives is the data as it was given, in either.
assert.deepEqual(await call("POST", published, { headers, body: { job: { data, dueTime: "0s" } } }), [202, ""]);
assert.deepEqual(await call("POST", "/v1.0/jobs/today", { body: { data: ["ä", 1.5, null], dueTime: "0s" } }), [204, ""]);
