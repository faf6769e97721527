package job

import "time"

// A Trigger is one attempt at telling an app that a job is due. Its receiver must not change what
// it points to.
type Trigger struct {
	Key            Key
	Partition      int     // of Key
	AppID          string  // as in [Spec]
	ConcurrencyKey *string // as in [Spec]
	Data           *Data   // as in [Spec]

	// Due is the scheduled instant of the occurrence, the same for all its attempts.
	Due time.Time
	// Attempt counts the attempts that failed before this one.
	Attempt uint32
}

// An Outcome is how an attempt ended.
type Outcome uint8

const (
	// Handled says that the app has accepted the trigger.
	Handled Outcome = 1
	// Failed says that the app or its sidecar reported a failure. The policy decides what follows.
	Failed Outcome = 2
	// Lost says that it is unknown whether the app saw the trigger, because the connection broke.
	// It does not count as a failure; the same attempt is delivered again.
	Lost Outcome = 3
)

// String returns the word for o that metrics and logs use.
func (o Outcome) String() string {
	switch o {
	case Handled:
		return "handled"
	case Failed:
		return "failed"
	case Lost:
		return "lost"
	default:
		return "unknown"
	}
}
