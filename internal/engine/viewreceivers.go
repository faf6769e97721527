package engine

// Receivers say what the receivers of a job's target take. Nodes send one another their numbers,
// which must not change.
type Receivers uint8

const (
	// ReceiversUnknown is what the engine itself says.
	ReceiversUnknown Receivers = 0
	// ReceiversAbsent says that none is connected.
	ReceiversAbsent Receivers = 1
	// ReceiversFull says that some are connected, and take nothing more.
	ReceiversFull Receivers = 2
	// ReceiversReady says that one takes another trigger.
	ReceiversReady Receivers = 3
)
