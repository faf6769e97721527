// Package batchstream carries calls in the messages of a stream: many in one, and several messages before the first is answered.
//
// [Stream] is the client's side. Whoever calls while a message leaves goes with the next one; a call that comes alone
// leaves at once. Calls beyond the bounds wait in line, as many as there are callers. They are carried out in the order
// in which they came. [Serve] is the server's: it begins messages in their order, and answers each when all that it asks
// for is done.
//
// A call whose stream ends has either not begun, or nobody knows: its error says which.
package batchstream
