// Package batchstream carries calls over a stream, many in one message, and with several messages
// in flight.
//
// [Client] is the client's side. Calls that arrive while a message is sent share the next message;
// a single call is sent at once. Calls beyond the limits of a message wait in a queue that is
// bounded by the number of callers. Calls are carried out in the order in which they arrive.
// [Serve] is the server's side: it begins messages in order, and answers each when all its calls
// have ended.
//
// When the stream ends, each unanswered call gets an error. [ErrNotBegun] says that the server has
// not begun it; any other error says that the outcome is unknown.
package batchstream
