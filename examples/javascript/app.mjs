// An app that has Carillon remind it of something once, with nothing but Node.js. It ends with 0 when the job has come.
// `carillon dev` says by the environment where the API is, and where the app is to listen.

import { createServer } from "node:http";

const api = `http://localhost:${process.env.DAPR_HTTP_PORT}/v1.0/jobs/`;

// A job that falls due is a POST to /job/NAME, with the job's data as its body. Any 2xx says that it has been handled.
const server = createServer(async (request, response) => {
  let data = "";
  for await (const chunk of request) data += chunk;
  if (request.method !== "POST" || request.url !== "/job/hello") {
    response.writeHead(404).end();
    return;
  }
  console.log("received job hello:", JSON.parse(data));
  response.on("finish", () => process.exit(0));
  response.writeHead(204).end();
});

server.listen(Number(process.env.APP_PORT), "127.0.0.1", async () => {
  const response = await fetch(api + "hello", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ dueTime: "2s", data: { greeting: "good morning" }, overwrite: true }),
  });
  if (!response.ok) {
    throw new Error(`schedule hello: ${response.status} ${await response.text()}`);
  }
  console.log("scheduled job hello, due in 2s");
});

setTimeout(() => {
  console.error("the job did not come within 30 seconds");
  process.exit(1);
}, 30_000);
