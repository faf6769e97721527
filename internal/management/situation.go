package management

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"carillon/internal/engine"
	pb "carillon/internal/managementv1"
)

// A situation is what a job does now: its state, and all its conditions.
type situation struct {
	state      pb.Job_State
	conditions []*pb.JobCondition
}

// situationOf returns the situation of a job at now. at is how far the job has got; it counts only
// if the job is due.
func situationOf(v *engine.JobView, at engine.DueProgress, now time.Time) situation {
	var s situation
	add := func(state pb.Job_State, reason, message string, since time.Time) {
		if len(s.conditions) == 0 {
			s.state = state
		}
		c := &pb.JobCondition{Type: state, Reason: reason, Message: message}
		if !since.IsZero() {
			c.SinceTime = timestamppb.New(since)
		}
		s.conditions = append(s.conditions, c)
	}
	due := !v.Due.After(now)
	switch {
	case due && at.Holdup == engine.HoldupInFlight:
		add(pb.Job_RUNNING, "AttemptInFlight", fmt.Sprintf("attempt %d is with a sidecar", v.State.Attempts+1), at.Since)
	case due && at.Holdup == engine.HoldupUnreachable:
		add(pb.Job_UNKNOWN, "OwnerUnreachable", "the node that owns the job does not answer", v.Due)
	}
	if n := v.State.Attempts; n > 0 {
		add(pb.Job_RETRYING, "AttemptFailed", fmt.Sprintf("%d attempts at this occurrence have failed", n), time.Time{})
	}
	if due {
		if reason, message, ok := overdueReason(at.Holdup); ok {
			add(pb.Job_OVERDUE, reason, message, v.Due)
		}
	}
	if len(s.conditions) == 0 {
		add(pb.Job_SCHEDULED, "NotDue", "it waits for its next due time", time.Time{})
	}
	return s
}

// overdueReason returns the reason for which a job that is due is overdue, as a word and as a
// sentence; ok is false if it is not.
func overdueReason(h engine.Holdup) (reason, message string, ok bool) {
	switch h {
	case engine.HoldupReplaced:
		return "AttemptInFlight", "a trigger is in flight that it had before it was scheduled again", true
	case engine.HoldupNoReceiver:
		return "NoSidecarConnected", "no sidecar of its app is connected: start the app with its sidecar", true
	case engine.HoldupParked:
		return "SidecarsFull", "the connected sidecars take no more triggers: the app is slow, or hangs", true
	case engine.HoldupThrottled:
		return "InFlightLimit", "its app has its share of triggers in flight", true
	case engine.HoldupQuota:
		return "RateLimit", "its namespace has used up its triggers per second", true
	case engine.HoldupConcurrency:
		return "ConcurrencyLimit", "its actor type, or its concurrency key, has as many triggers in flight as it may have", true
	case engine.HoldupStoreFull:
		return "StoreFull", "the store has no room for outcomes: free disk space", true
	case engine.HoldupNotOwner:
		return "OwnerChanging", "no node owns its partition now", true
	case engine.HoldupLoading:
		return "OwnerChanging", "its partition is being loaded by the node that owns it", true
	case engine.HoldupStuck:
		return "StoreNotCommitting", "the store of its node does not commit: the disk is slow or stuck", true
	case engine.HoldupInFlight, engine.HoldupUnreachable:
		return "", "", false
	case engine.HoldupNone:
	}
	return "WaitingForTurn", "nothing holds it: it is delivered when its turn comes", true
}

// overdueMessage returns the sentence of overdueReason.
func overdueMessage(h engine.Holdup) string {
	_, message, _ := overdueReason(h)
	return message
}
